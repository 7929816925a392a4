import type { GlobalThemeOverrides } from "naive-ui";

const bell = "#e8590c";
const bellLight = "#f76707";
const bellDark = "#d9480f";

export const themeOverrides: GlobalThemeOverrides = {
  common: {
    primaryColor: bell,
    primaryColorHover: bellLight,
    primaryColorPressed: bellDark,
    primaryColorSuppl: bellLight,
    borderRadius: "8px",
    fontFamily:
      'Inter, system-ui, -apple-system, "Segoe UI", Roboto, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif',
  },
};
