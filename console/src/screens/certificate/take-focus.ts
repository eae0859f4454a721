// A dialog whose answer needs one press more: what is to be pressed has the focus as soon as it is there.
import type { KeyboardEvent } from "react";

/** As `ref` of what appears when everything is known. */
export function takeFocus(element: HTMLElement | null): void {
  element?.focus();
}

/** The key that opened the dialog and is held down still confirms nothing. */
export function ignoreHeldKey(event: KeyboardEvent): void {
  if (event.repeat) event.preventDefault();
}
