// ScanGate from Node 18 or newer, with nothing but its standard library.
//
//   node scangate.mjs order p1      place an order of 21.00 HKD and print where it is paid
//   node scangate.mjs query p1      how it stands
//   node scangate.mjs notice 9000   take notices at http://127.0.0.1:9000/notify
//   node scangate.mjs sign FILE…    the signature of each file's bytes
//
// Who you are is in the environment: SHOP_BASE_URL, SHOP_PARTNER_NO, SHOP_STORE_NO, SHOP_SIGN_KEY and, for orders
// whose payment is to be told, SHOP_NOTIFY_URL.

import { createHash, randomUUID, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const { SHOP_BASE_URL, SHOP_PARTNER_NO, SHOP_STORE_NO, SHOP_SIGN_KEY, SHOP_NOTIFY_URL } = process.env;

// region sign
/** Lower-case hex of SHA-256 over the text and, behind it, the sign key. */
function sign(text) {
  return createHash("sha256").update(text).update(SHOP_SIGN_KEY).digest("hex");
}

/** A request as it travels. What is signed is the very text that is sent. */
function seal(body) {
  const header = {
    version: "1.0",
    partnerNo: SHOP_PARTNER_NO,
    reqMsgId: randomUUID(),
    reqTime: new Date().toISOString().replace(/\.\d+/, ""),
    signType: "SHA256",
  };
  const text = JSON.stringify({ header, body });
  return `{"request":${text},"signature":"${sign(text)}"}`;
}
// endregion

// region verify
/** The body of an answer or a notice, if it is signed with our key. */
function unseal(document) {
  const found = /^\{"response":(.*),"signature":"([0-9a-f]{64})"\}$/s.exec(document);
  if (!found || !timingSafeEqual(Buffer.from(sign(found[1])), Buffer.from(found[2]))) {
    throw new Error("this is not signed with our key");
  }
  return JSON.parse(found[1]).body;
}
// endregion

// region call
/**
 * Send one request; the answer's body, whatever its code says. If this throws there is no answer: query the order
 * before anything else.
 */
async function call(path, body) {
  const answer = await fetch(SHOP_BASE_URL + path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: seal(body),
    signal: AbortSignal.timeout(45_000),
  });
  return unseal(await answer.text());
}
// endregion

// region order
function order(number) {
  return call("/api/offline/qrcode", {
    storeNo: SHOP_STORE_NO,
    partnerOrderNo: number,
    wallet: "Alipay",
    currency: "HKD",
    orderAmount: 2100, // 21.00 HKD
    orderTitle: "拉麵 & café",
    notifyUrl: SHOP_NOTIFY_URL, // left out where there is none
  });
}

function query(number) {
  return call("/api/common/payQuery", { partnerOrderNo: number });
}
// endregion

// region notice
const notices = createServer(async (request, reply) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  reply.setHeader("Content-Type", "text/plain");
  let paid;
  try {
    paid = unseal(Buffer.concat(parts).toString("utf8"));
  } catch {
    reply.writeHead(400).end("not ours");
    return;
  }
  // Compare amount and currency with the order in your books, and mark it paid once: the same notice may come again.
  // Say `success` only when that is stored.
  console.log("paid", paid.partnerOrderNo, paid.orderAmount, paid.currency);
  reply.end("success");
});
// endregion

function show(body, field) {
  if (body.code === 1) {
    console.log(field, body[field]);
  } else {
    console.error(`code ${body.code}: ${body.msg}`);
    process.exitCode = 1;
  }
}

const [command, ...rest] = process.argv.slice(2);
if (command === "order" && rest.length === 1) {
  show(await order(rest[0]), "payUrl");
} else if (command === "query" && rest.length === 1) {
  show(await query(rest[0]), "status");
} else if (command === "notice" && rest.length === 1) {
  notices.listen(Number(rest[0]), "127.0.0.1");
} else if (command === "sign" && rest.length) {
  for (const file of rest) console.log(sign(readFileSync(file)));
} else {
  console.error("order NUMBER, query NUMBER, notice PORT or sign FILE…");
  process.exitCode = 2;
}
