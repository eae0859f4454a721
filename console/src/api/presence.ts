// Whether somebody sits in front of the page. Live updates, retries and timers read without anybody asking; a session that only
// they use is idle and ends (docs/sign-in.md). Opening the page counts as asking.

/** A read so soon after a key, a click or a touch is taken as theirs. */
export const STILL_THEIRS_MS = 10_000;

let last = Date.now();

const SIGNS = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"] as const;

for (const sign of SIGNS) {
  // Made by a script is not made by a person.
  window.addEventListener(sign, (event) => { if (event.isTrusted) last = Date.now(); }, { capture: true, passive: true });
}

export function isSomebodyThere(now = Date.now()): boolean {
  return now - last < STILL_THEIRS_MS;
}
