import { fireEvent, render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { Name } from "./Name";

test("script in a name is text, and nothing of it is in the page as an element", () => {
  const { container } = render(<Name text={'CN=<img src=x onerror="alert(1)"><script>alert(2)</script>'} />);
  expect(container.querySelector("img, script")).toBeNull();
  expect(container.textContent).toBe('CN=<img src=x onerror="alert(1)"><script>alert(2)</script>');
});

test("an override is a mark with a name for screen readers, isolated from its neighbours", () => {
  const { container } = render(<Name text={"CN=pump\u202Efdp.exe"} />);
  expect(container.textContent).toBe("CN=pumpU+202Efdp.exe");
  expect(container.textContent).not.toContain("\u202E");
  expect(screen.getByRole("img").getAttribute("aria-label")).toBe("right-to-left override, U+202E");
  expect(container.querySelector("bdi")).not.toBeNull();
});

test("10,000 characters are clipped, and shown when asked for", () => {
  const { container } = render(<Name text={"A".repeat(10_000)} />);
  expect(container.querySelector("bdi")?.textContent).toHaveLength(241);
  fireEvent.click(screen.getByRole("button", { name: "show 9,760 more characters" }));
  expect(container.querySelector("bdi")?.textContent).toHaveLength(10_000);
  expect(screen.queryByRole("button")).toBeNull();
});

test("no text is not an empty place", () => {
  render(<Name text={null} none="nobody" />);
  expect(screen.getByText("nobody")).toBeTruthy();
});
