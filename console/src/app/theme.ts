// Mantine, told to use the tokens of base.css: one place for colours, two schemes.
import { type CSSVariablesResolver, createTheme, defaultVariantColorsResolver, type MantineColorsTuple } from "@mantine/core";

const petrol: MantineColorsTuple = [
  "#e6f5f6", "#cfe9eb", "#a0d3d7", "#6fbcc2", "#56bcc4", "#2b97a1", "#16808a", "#0b6670", "#0a535b", "#0f3d44",
];

export const theme = createTheme({
  colors: { petrol },
  primaryColor: "petrol",
  primaryShade: { light: 7, dark: 4 },
  // What is filled has the tokens' own pairs, which hold 4.5:1 in both schemes.
  variantColorResolver: (input) => {
    const colors = defaultVariantColorsResolver(input);
    if (input.variant !== "filled") return colors;
    return input.color === "red"
      ? { ...colors, background: "var(--critical)", hover: "var(--critical)", color: "var(--surface)" }
      : { ...colors, background: "var(--brand)", hover: "var(--brand)", color: "var(--on-brand)" };
  },
  fontFamily: "var(--font)",
  fontFamilyMonospace: "var(--mono)",
  defaultRadius: 4,
  fontSizes: { xs: "0.75rem", sm: "0.8125rem", md: "0.875rem", lg: "1rem", xl: "1.25rem" },
  headings: { fontFamily: "var(--font)", fontWeight: "600" },
  cursorType: "pointer",
  components: {
    Button: { defaultProps: { size: "sm" } },
    TextInput: { defaultProps: { size: "sm" } },
    Select: { defaultProps: { size: "sm", allowDeselect: false } },
    Textarea: { defaultProps: { size: "sm", autosize: true, minRows: 2 } },
    Modal: { defaultProps: { centered: true, closeButtonProps: { "aria-label": "Close" }, transitionProps: { duration: 0 }, overlayProps: { backgroundOpacity: 0.45 } } },
    Menu: { defaultProps: { transitionProps: { duration: 0 }, shadow: "md" } },
    Popover: { defaultProps: { transitionProps: { duration: 0 }, shadow: "md" } },
    Tooltip: { defaultProps: { openDelay: 300, transitionProps: { duration: 0 } } },
  },
});

export const variables: CSSVariablesResolver = () => {
  const shared = {
    "--mantine-color-body": "var(--surface)",
    "--mantine-color-text": "var(--ink)",
    "--mantine-color-dimmed": "var(--ink-3)",
    "--mantine-color-placeholder": "var(--ink-3)",
    "--mantine-color-default": "var(--surface)",
    "--mantine-color-default-hover": "var(--hover)",
    "--mantine-color-default-color": "var(--ink)",
    "--mantine-color-default-border": "var(--line-strong)",
    "--mantine-color-error": "var(--critical)",
    "--mantine-color-anchor": "var(--brand)",
  };
  // Fields of forms and what opens above the page lie on a panel's colour, not on Mantine's grey.
  return { variables: {}, light: shared, dark: { ...shared, "--mantine-color-dark-6": "var(--surface)" } };
};
