import js from "@eslint/js";
import hooks from "eslint-plugin-react-hooks";
import ts from "typescript-eslint";

/** Ways past React's escaping and past the Content-Security-Policy: hostile strings come in with every certificate. */
const hostile = [
  { selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']", message: "text from outside is never HTML: use <Name>" },
  { selector: "MemberExpression[property.name=/^(innerHTML|outerHTML|insertAdjacentHTML)$/]", message: "text from outside is never HTML: use <Name>" },
];

export default ts.config(
  { ignores: ["dist", "node_modules", "src/api/schema.gen.ts"] },
  js.configs.recommended,
  ...ts.configs.strict,
  {
    files: ["src/**/*.{ts,tsx}"],
    plugins: { "react-hooks": hooks },
    rules: {
      "react-hooks/rules-of-hooks": "error",
      "react-hooks/exhaustive-deps": "error",
      "no-restricted-syntax": ["error", ...hostile],
      "no-eval": "error",
      "no-console": "error",
      eqeqeq: "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "max-lines": ["error", 600],
    },
  },
  {
    files: ["build/**", "tests/**", "*.config.*"],
    languageOptions: { globals: { process: "readonly", console: "readonly", URL: "readonly", Buffer: "readonly", setTimeout: "readonly", fetch: "readonly", document: "readonly", window: "readonly", localStorage: "readonly", getComputedStyle: "readonly" } },
    rules: { "@typescript-eslint/no-empty-function": "off" },
  },
);
