// `g` and a letter open a screen, for those who live in here.
import { useNavigate } from "@tanstack/react-router";
import { useEffect } from "react";
import { SCREENS } from "./nav";

const PATIENCE_MS = 1200;

export function useGoKeys(): void {
  const navigate = useNavigate();
  useEffect(() => {
    let since = 0;
    const pressed = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement | null;
      if (event.ctrlKey || event.metaKey || event.altKey || target?.closest("input, textarea, select, [contenteditable]")) return;
      if (event.key === "g") {
        since = event.timeStamp;
        return;
      }
      const screen = SCREENS.find((each) => each.key === event.key);
      if (screen !== undefined && since > 0 && event.timeStamp - since < PATIENCE_MS) {
        event.preventDefault();
        void navigate({ to: screen.to });
      }
      since = 0;
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [navigate]);
}
