// A client for a shop's own pages and for Node: calls with a key, events that are never stored twice.
//
//   import { Cofactor } from "SERVICE/page/client.js";
//   const recs = new Cofactor("SERVICE", { key: READ_KEY });
//   const { items } = await recs.recommend("42", { k: 5 });
//
// A browser may call a service of another origin if it was started with --allow-origin. Don't give a
// browser a key that may write more than you would let any visitor write.

export class CofactorError extends Error {
  constructor(status, error) {
    super(error?.message ?? `the service answered ${status}`);
    Object.assign(this, { status, code: error?.code ?? "unknown", field: error?.field, outcome: error?.outcome });
  }
}

const SMALL = 16_000; // characters that surely have less than 64 KiB

// Not crypto.randomUUID, which pages without TLS lack.
const newId = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

const invalid = (field, message) => new CofactorError(0, { code: "invalid", message: `${field} must be ${message}`, field });

// An id is a text or an integer; JavaScript's numbers melt integers beyond 2^53 into one.
function idOf(name, one) {
  if (typeof one === "bigint") return String(one);
  if (typeof one === "string" || Number.isSafeInteger(one)) return one;
  throw invalid(name, `a text or a whole number below 2^53, not ${typeof one === "object" ? "an object" : String(one)}; give larger numbers as texts`);
}

const LISTS = new Set(["history", "allow", "block", "item_ids"]);

// What JSON would change: NaN and infinity become null, an event without a value.
function plain(name, value) {
  if ((name === "user_id" || name === "item_id") && value !== undefined) return idOf(name, value);
  if (LISTS.has(name) && Array.isArray(value)) return value.map((one) => (typeof one === "object" ? one : idOf(name, one)));
  if (typeof value === "number" && !Number.isFinite(value)) throw invalid(name, `a finite number, not ${value}`);
  return value;
}

export class Cofactor {
  constructor(url, { key = null, retries = 2 } = {}) {
    Object.assign(this, { url: url.replace(/\/+$/, ""), key, retries });
  }

  // `given` are the fields of POST /v1/recommend: k, where, rerank, history ...
  recommend(userId, given = {}) { return this.call("POST", "/v1/recommend", userId === null ? given : { user_id: userId, ...given }); }

  similar(itemId, k = 10) { return this.call("GET", `/v1/items/${encodeURIComponent(idOf("item_id", itemId))}/similar?k=${k}`); }

  because(userId, rows = 3, k = 10) { return this.call("GET", `/v1/users/${encodeURIComponent(idOf("user_id", userId))}/because?rows=${rows}&k=${k}`); }

  trending({ k = 10, halfLife = 24, cursor } = {}) {
    return this.call("GET", `/v1/feeds/trending?k=${k}&half_life=${halfLife}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
  }

  // Stored once, however often the connection breaks: a retry has the same ids.
  send(events) { return this.call("POST", "/v1/events", { events, request_id: newId() }); }

  async* pages(userId, { k = 20, ...given } = {}) {
    for (let cursor; ;) {
      const page = await this.recommend(userId, { k, ...given, paged: true, ...(cursor ? { cursor } : {}) });
      if (page.items.length) yield page.items;
      cursor = page.next;
      if (!cursor) return;
    }
  }

  async call(method, path, body, left = this.retries) {
    const headers = { ...(this.key && { authorization: `Bearer ${this.key}` }), ...(body && { "content-type": "application/json" }) };
    const text = body && JSON.stringify(body, plain);
    // A request that outlives its page may have 64 KiB, together with others under way: a second try has no such limit.
    const keepalive = method === "POST" && text.length < SMALL && left === this.retries;
    let answer;
    try {
      answer = await fetch(this.url + path, { method, headers, body: text, keepalive });
    } catch (error) {
      if (left > 0) return this.again(method, path, body, left, 1);
      throw new CofactorError(0, { code: "unreachable", message: `the service can't be reached: ${error.message}`, outcome: method === "GET" ? undefined : "unknown" });
    }
    if (answer.status === 503 && left > 0) return this.again(method, path, body, left, Number(answer.headers.get("retry-after") ?? 1));
    const read = await answer.json().catch(() => null);
    if (!answer.ok) throw new CofactorError(answer.status, read?.error);
    if (read === null) throw new CofactorError(answer.status, { code: "unreadable", message: "the answer isn't the service's; check the address, and proxies between", outcome: method === "GET" ? undefined : "unknown" });
    return read;
  }

  async again(method, path, body, left, seconds) {
    await new Promise((done) => setTimeout(done, 1000 * Math.min(5, seconds)));
    return this.call(method, path, body, left - 1);
  }
}
