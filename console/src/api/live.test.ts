import { expect, test } from "vitest";
import { TOUCHES } from "./live";
import types from "./schema.gen.ts?raw";

test("the topics are those of the server, as its OpenAPI document lists them", () => {
  const listed = /Topics with commas between:([^.]+)\./.exec(types)?.[1]?.split(",").map((topic) => topic.replace(/[\s*]/g, "")) ?? [];
  expect(listed.length).toBeGreaterThan(10);
  expect(Object.keys(TOUCHES).sort()).toEqual(listed.sort());
});
