"""JPush UMS (Jiguang Unified Message System): sheet jpush-ums."""
