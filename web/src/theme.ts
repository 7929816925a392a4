import type { GlobalThemeOverrides } from "naive-ui";

const font =
  'Inter, system-ui, -apple-system, "Segoe UI", Roboto, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif';

// White letters on the button need a darker orange than the mark has (contrast 4.5 : 1).
const bell = {
  primaryColor: "#c2410c",
  primaryColorHover: "#d9480f",
  primaryColorPressed: "#9a3412",
  primaryColorSuppl: "#d9480f",
  borderRadius: "9px",
  fontFamily: font,
};

// Placeholders and headings of menus are words like all others (contrast 4.5 : 1).
export const lightOverrides: GlobalThemeOverrides = {
  common: { ...bell, warningColor: "#a3570a", errorColor: "#c92a2a", placeholderColor: "#6b7280" },
  Dropdown: { groupHeaderTextColor: "#626a76" },
};

export const darkOverrides: GlobalThemeOverrides = {
  common: {
    ...bell,
    primaryColorSuppl: "#e8590c",
    bodyColor: "#0f1114",
    cardColor: "#16191e",
    modalColor: "#16191e",
    popoverColor: "#1f242b",
    placeholderColor: "#9aa3af",
  },
  Button: {
    textColorPrimary: "#fff",
    textColorHoverPrimary: "#fff",
    textColorPressedPrimary: "#fff",
    textColorFocusPrimary: "#fff",
    textColorDisabledPrimary: "#fff",
  },
};
