import { afterEach, expect, test, vi } from "vitest";
import { api } from "./client";
import { STILL_THEIRS_MS } from "./presence";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function headersOfReads(): Headers[] {
  const sent: Headers[] = [];
  vi.stubGlobal("fetch", (_: string, init: RequestInit) => {
    sent.push(new Headers(init.headers));
    return Promise.resolve(new Response("{}", { headers: { "content-type": "application/json" } }));
  });
  return sent;
}

test("what the page reads long after anybody touched it says so, and keeps no session alive (R35)", async () => {
  vi.useFakeTimers({ now: Date.now() });
  const sent = headersOfReads();
  await api.get("/api/v1/overview");
  vi.setSystemTime(Date.now() + STILL_THEIRS_MS + 1);
  await api.get("/api/v1/overview");
  await api.delete("/api/v1/session");
  expect(sent.map((headers) => headers.get("x-ward-background"))).toEqual([null, "1", null]);
});

test("a script's own clicks are nobody", async () => {
  vi.useFakeTimers({ now: Date.now() + 2 * STILL_THEIRS_MS });
  const sent = headersOfReads();
  window.dispatchEvent(new KeyboardEvent("keydown", { key: "a" }));
  await api.get("/api/v1/overview");
  expect(sent[0]?.get("x-ward-background")).toBe("1");
});
