// Reading labels: the browser's own detector (Shape Detection API) where there is one, and finding what a label belongs to.
import { api } from "~/api/client";
import { asProblem } from "~/api/problem";
import { type AssetPage, type StoredAsset } from "./types";

interface Detector {
  detect(source: HTMLVideoElement): Promise<readonly { readonly rawValue: string }[]>;
}

interface DetectorClass {
  new (options: { readonly formats: readonly string[] }): Detector;
  getSupportedFormats(): Promise<readonly string[]>;
}

/** What carries a UDI on a label: GS1 DataMatrix and GS1-128 above all (21 CFR 830; GS1 General Specifications §5). */
const FORMATS = ["data_matrix", "qr_code", "code_128", "aztec", "pdf417", "code_39", "ean_13"];

function detectorClass(): DetectorClass | undefined {
  return (globalThis as { readonly BarcodeDetector?: DetectorClass }).BarcodeDetector;
}

export function canScan(): boolean {
  // Outside of a secure context there is no camera, whatever the types say.
  const media = navigator.mediaDevices as MediaDevices | undefined;
  return detectorClass() !== undefined && typeof media?.getUserMedia === "function";
}

export async function makeDetector(): Promise<Detector> {
  const found = detectorClass();
  if (found === undefined) throw new Error("This browser reads no barcodes.");
  const supported = await found.getSupportedFormats();
  const formats = FORMATS.filter((format) => supported.includes(format));
  if (formats.length === 0) throw new Error("This browser reads none of the codes that labels of devices carry.");
  return new found({ formats });
}

export type Found =
  | { readonly kind: "one"; readonly id: string }
  | { readonly kind: "many"; readonly count: number }
  | { readonly kind: "none"; readonly text: string };

/** Separators that scanners send for GS1's FNC1 at the beginning; the server reads those in the middle. */
export function clean(text: string): string {
  return text.trim().slice(0, 512);
}

/** Whose label it is. What is no UDI may be a serial number or what the asset system calls it. */
export async function lookUp(label: string): Promise<Found> {
  const text = clean(label);
  try {
    const { assets } = await api.get<AssetPage>("/api/v1/assets", { query: { udi: text } });
    const [first] = assets;
    if (first !== undefined) return assets.length === 1 ? { kind: "one", id: first.asset.id } : { kind: "many", count: assets.length };
  } catch (error) {
    if (asProblem(error).problem.rule !== "asset.udi") throw error;
  }
  try {
    const stored = await api.get<StoredAsset>("/api/v1/assets/{id}", { path: { id: text } });
    return { kind: "one", id: stored.asset.id };
  } catch (error) {
    if (asProblem(error).problem.status !== 404) throw error;
  }
  return { kind: "none", text };
}
