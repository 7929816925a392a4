"""What the join pages say, in both languages; ``{inviter}`` and ``{topic}`` are names, shown as text."""

from collections.abc import Mapping

from onebell.core.joining import Invitation, Refusal

_COMMON = {
    "en": {
        "title": "Invitation",
        "uid": "User",
        "password": "Password",
        "name": "Your name",
        "sign_in": "Sign in",
        "register": "Create account and join",
        "first_time": "First time here? Create an account",
        "known": "Sign in to join.",
        "new_uid": "User name: letters, digits, _ . @ -",
        "signed_in_as": "Signed in as {name}",
        "other": "Use another account",
        "contact": "Contact: {contact}",
        "open": "Open the inbox",
        "unknown": "This link does not exist, or what it led to is gone.",
        "expired": "This code has expired. Ask for a new one.",
        "used_up": "This code was used as often as it may be. Ask for a new one.",
        "wrong": "The user or the password is wrong.",
        "too_often": "Too many tries. Wait a few minutes, then try again.",
        "taken": "This user name is taken.",
        "bad_uid": "A user name has 1 to 64 letters, digits or _ . @ -",
        "closed": "New accounts cannot be made here. Ask whoever runs this server.",
        "foreign": "Please use the form on this page.",
        "not_now": "The server cannot do this now. Try again in a moment.",
    },
    "zh": {
        "title": "邀请",
        "uid": "用户名",
        "password": "密码",
        "name": "昵称",
        "sign_in": "登录",
        "register": "注册并加入",
        "first_time": "第一次使用？注册新账号",
        "known": "请先登录。",
        "new_uid": "用户名（字母、数字、_ . @ -）",
        "signed_in_as": "当前登录：{name}",
        "other": "使用其他账号",
        "contact": "联系方式：{contact}",
        "open": "打开收件箱",
        "unknown": "此链接不存在，或已失效。",
        "expired": "此二维码已过期，请向对方索取新的二维码。",
        "used_up": "此二维码的可用次数已用完，请向对方索取新的二维码。",
        "wrong": "用户名或密码错误。",
        "too_often": "尝试次数过多，请过几分钟再试。",
        "taken": "此用户名已被使用。",
        "bad_uid": "用户名为 1 到 64 个字母、数字或 _ . @ -",
        "closed": "此处不能注册新账号，请联系服务器管理员。",
        "foreign": "请使用本页面的表单提交。",
        "not_now": "服务器暂时无法处理，请稍后再试。",
    },
}
_TOPIC = {
    "en": {
        "title": "Join a topic",
        "lead": "{inviter} invites you to the topic",
        "effect": "Messages to this topic will reach your inbox.",
        "own": "This is your own topic. Join it to get its messages as well.",
        "go": "Join",
        "done": "You have joined.",
        "already": "You are in this topic already.",
        "blocked": "You are on this topic's black list and cannot join.",
        "full": "This topic has as many members as it may have.",
    },
    "zh": {
        "title": "加入群组",
        "lead": "{inviter} 邀请你加入群组",
        "effect": "加入后，发往该群组的消息会送达你的收件箱。",
        "own": "这是你创建的群组。加入后，你自己也会收到该群组的消息。",
        "go": "加入群组",
        "done": "加入成功",
        "already": "你已经在该群组中。",
        "blocked": "你已被该群组列入黑名单，无法加入。",
        "full": "该群组的人数已达上限。",
    },
}
_FRIEND = {
    "en": {
        "title": "Become friends",
        "lead": "{inviter} invites you to be friends",
        "effect": "Each of you can then send messages to the other.",
        "go": "Become friends",
        "done": "You are friends now.",
        "already": "You are friends already.",
        "own": "This is your own code. Let somebody else scan it.",
        "blocked": "You are on the other's black list and cannot become friends.",
        "blocking": "The other is on your black list. Lift that first.",
        "full": "One of you has as many friends as one may have.",
    },
    "zh": {
        "title": "添加好友",
        "lead": "{inviter} 邀请你成为好友",
        "effect": "添加后，双方都可以给对方发送消息。",
        "go": "添加好友",
        "done": "添加成功",
        "already": "你们已经是好友。",
        "own": "这是你自己的二维码，请让对方扫描。",
        "blocked": "对方已将你列入黑名单，无法添加好友。",
        "blocking": "对方在你的黑名单中，请先解除。",
        "full": "双方中有一方的好友数量已达上限。",
    },
}

STATUSES = {
    Refusal.UNKNOWN: 404,
    Refusal.EXPIRED: 410,
    Refusal.USED_UP: 410,
    Refusal.BLOCKED: 403,
    Refusal.BLOCKING: 409,
    Refusal.FULL: 409,
    Refusal.ALREADY: 200,
    Refusal.OWN: 200,
}
"""HTTP status of a page that says so."""


def words_of(lang: str, invitation: Invitation | None) -> Mapping[str, str]:
    """All words of a page: about a topic, about a friend, or about neither."""
    if invitation is None:
        return _COMMON[lang]
    return _COMMON[lang] | (_TOPIC if invitation.topic else _FRIEND)[lang]
