// A client made of the contract alone: its types come from openapi.yaml. For the demo's platform it makes a merchant
// and finds it again; as the demo's merchant it places an order, asks after it and verifies both answers. That it
// compiles is half of the test; the other half is that it runs.

import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { components, paths } from "./contract.js";

type Schemas = components["schemas"];

const demo = JSON.parse(readFileSync(process.env["DEMO_JSON"] ?? "", "utf8"));
const platform: string = demo.platform.slug;
const store = demo.stores[0];

const sign = (text: string): string =>
  createHash("sha256").update(text).update(demo.merchant.sign_key).digest("hex");

const header = (): Schemas["RequestHeader"] => ({
  version: "1.0",
  partnerNo: demo.merchant.partner_no,
  reqMsgId: randomUUID(),
  reqTime: new Date().toISOString().replace(/\.\d+/, ""),
});

/** A signed request. The client sends it as `JSON.stringify` writes it, and so is what is signed. */
function seal<Body>(body: Body) {
  const request = { header: header(), body };
  return { request, signature: sign(JSON.stringify(request)) };
}

/** The document in an answer, if its signature is right. */
function unseal<Document>(text: string | undefined): Document {
  const found = /^\{"response":(.*),"signature":"([0-9a-f]{64})"\}$/s.exec(text ?? "");
  assert.ok(found?.[1] && sign(found[1]) === found[2], `not signed with our key: ${text}`);
  return JSON.parse(text ?? "");
}

const client = createClient<paths>({ baseUrl: demo.gateway.base_url });

const headers = { Authorization: `Bearer ${demo.platform.api_key}` };
const made = await client.POST("/v1/merchants", {
  headers,
  params: { header: { "Idempotency-Key": randomUUID() } },
  body: { name: "Generated client" },
});
assert.ok(made.data, `a merchant is made: ${JSON.stringify(made.error)}`);
const found = await client.GET("/v1/merchants/{merchantId}", {
  headers,
  params: { path: { merchantId: made.data.id } },
});
assert.equal(found.data?.name, "Generated client");
const refused = await client.GET("/v1/merchants", { params: { query: { limit: 1 } } });
assert.equal(refused.error?.status, 401);

const number = `typescript-${Date.now()}`;

const order: Schemas["PlaceQrcode"] = {
  storeNo: store.store_no,
  partnerOrderNo: number,
  wallet: "Alipay",
  currency: store.currency,
  orderAmount: 2100,
  orderTitle: "拉麵 & café",
};
const placed = await client.POST("/{platform}/api/offline/qrcode", {
  params: { path: { platform } },
  body: seal(order),
  parseAs: "text", // what is verified are the bytes that came
});
const opened = unseal<Schemas["ResponseEnvelope_Placed"]>(placed.data).response.body;
assert.equal(opened.code, 1, opened.msg);
assert.equal((await fetch(opened.payUrl ?? "")).status, 200);

const asked = await client.POST("/{platform}/api/common/payQuery", {
  params: { path: { platform } },
  body: seal<Schemas["PayQuery"]>({ partnerOrderNo: number }),
  parseAs: "text",
});
const state = unseal<Schemas["ResponseEnvelope_OrderState"]>(asked.data).response.body;
assert.deepEqual([state.code, state.status, state.orderAmount], [1, 0, 2100]);
console.log(`the generated client has made merchant ${made.data.id}, placed ${number} and found both`);
