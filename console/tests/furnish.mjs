// What a house has beside certificates: a register, devices that enrolled and one that waits, spares, a policy and a change
// that it holds back. All of it comes in as people and machines bring it in.
import { execFileSync } from "node:child_process";
import { get } from "./house.mjs";

/** PKCS #10 of a device that calls itself by this serial number, base64 DER. */
function request(serial) {
  const made = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "/dev/null", "-subj", `/serialNumber=${serial}`, "-outform", "DER"];
  return execFileSync("openssl", made, { stdio: ["ignore", "pipe", "ignore"] }).toString("base64");
}

/** A call as a machine makes it, with its answer. */
export async function call(house, method, path, body, token = house.token) {
  const headers = { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) };
  const answer = await get(house.origin + path, headers, method, body === undefined ? undefined : JSON.stringify(body));
  const text = answer.body.toString();
  if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}

/** A device asks over EST (RFC 7030 §4.2.1); 202 says that somebody has to approve. */
export function enrol(house, endpoint, csr, password) {
  const headers = { "content-type": "application/pkcs10", "content-transfer-encoding": "base64" };
  if (password !== undefined) headers.authorization = `Basic ${Buffer.from(`device:${password}`).toString("base64")}`;
  return get(`${house.origin}/.well-known/est/${endpoint}/simpleenroll`, headers, "POST", csr);
}

/** Fills `house.pump` (SN-4711, with a certificate), `house.waiting` (requests of devices), `house.held` (a change). */
export async function furnish(house) {
  for (let number = 0; number < 24; number += 1) {
    const serial = `SN-47${String(11 + number)}`;
    const more = number < 3 ? ["--udi", `(01)51022222233336(21)${serial}`] : [];
    house.run("device", "add", "--serial", serial, "--manufacturer", "Fluidic", "--model", number % 3 === 2 ? "Breeze 7" : "Drip 3", "--site", "North", "--department", "ICU", "--segment", "icu", "--criticality", number % 3 === 2 ? "high" : "life-support", ...(number % 5 === 4 ? [] : ["--owner", "biomed"]), ...more);
  }
  await call(house, "POST", "/api/v1/enrolment/endpoints", { name: "bedside", profile: "device-ldevid", protocols: { est: true } });
  await call(house, "POST", "/api/v1/enrolment/endpoints", { name: "quarantine", profile: "device-ldevid", protocols: { est: true }, approval: "always", unregistered: "wait" });
  house.pump = (await call(house, "GET", "/api/v1/assets/SN-4711")).asset.id;
  const right = await call(house, "POST", "/api/v1/enrolment/rights", { endpoint: "bedside", for: { asset: house.pump }, credential: "one-time-password" });
  const issued = await enrol(house, "bedside", request("SN-4711"), right.secret);
  if (issued.status !== 200) throw new Error(`the pump got no certificate: ${issued.status} ${issued.body}`);
  await call(house, "POST", "/api/v1/spares", { asset: "SN-4712", profile: "device-ldevid", note: "locker 4, ICU" });
  house.asking = { known: request("SN-4720"), unknown: request("NEW-9001") };
  for (const csr of Object.values(house.asking)) {
    const answer = await enrol(house, "quarantine", csr);
    if (answer.status !== 202) throw new Error(`the device does not wait: ${answer.status} ${answer.body}`);
  }
  const { registrations } = await call(house, "GET", "/api/v1/enrolment/registrations?state=pending");
  const of = (serial) => registrations.find((each) => each.serial === serial).approval;
  house.waiting = { known: of("SN-4720"), unknown: of("NEW-9001") };
  await hold(house);
}

/** A change of a segment's limits that two others have to agree to. */
async function hold(house) {
  const limits = { name: "icu", site: "North", owner: "biomed", ranges: ["10.10.0.0/24"], ports: ["443"], rate: 5, pause_ms: 200, depth: "suites", hours: ["daily 01:00-04:00"], zone: "Europe/London" };
  const stored = await call(house, "POST", "/api/v1/segments", limits);
  await call(house, "POST", "/api/v1/approval-policies", { name: "limits", action: "manage-segments", needed: 2, hours: 24, emergency: true });
  const wanted = { ...stored.segment, rate: 20, ports: ["443", "8443"], hours: ["daily 00:00-05:00"] };
  house.held = (await call(house, "PUT", "/api/v1/segments/icu", { version: stored.version, segment: wanted })).request;
}
