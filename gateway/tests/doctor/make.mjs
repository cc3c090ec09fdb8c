#!/usr/bin/env node
// Makes node.json: requests as Node's own JSON and crypto get them wrong. See make.py, which says what holds for it.
// `make.mjs` writes the file, `make.mjs --check` fails if it would change.

import { createHash, createHmac } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

const file = new URL("node.json", import.meta.url);
const key = "9f3c1e5a7b2d4f60819a0b3c5d7e9f11223344556677889900aabbccddeeff01";
const keys = [{ role: "current", text: key }];
const value = {
  header: { version: "1.0", partnerNo: "10001", reqMsgId: "", reqTime: "2018-07-25T18:06:05+08:00", signType: "SHA256" },
  body: { storeNo: "100010000000002", partnerOrderNo: "p1", orderAmount: 2100, orderTitle: "ラーメン", tags: ["a", "b"], more: {} },
};
const vectors = [];

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256"));

function add(name, document, mistakes, role = "current") {
  vectors.push({ name, document, keys, mistakes, key: role });
}

const document = (text, signature) => `{"request":${text},"signature":"${signature}"}`;
const compact = JSON.stringify(value);

add("JSON.stringify", document(compact, sha256(compact, key).digest("hex")), []);
for (const indent of [2, 4, "\t"]) {
  const pretty = JSON.stringify(value, null, indent);
  add(`indented by ${JSON.stringify(indent)} signed`, document(compact, sha256(pretty, key).digest("hex")), ["pretty_json_signed"]);
  add(`indented by ${JSON.stringify(indent)} sent`, document(pretty, sha256(compact, key).digest("hex")), ["compact_json_signed"]);
}
add(
  "the whole document is pretty-printed after signing",
  JSON.stringify({ request: value, signature: sha256(compact, key).digest("hex") }, null, 2),
  ["compact_json_signed"],
);
add("digest as base64", document(compact, sha256(compact, key).digest("base64")), ["base64"]);
add("digest as base64url", document(compact, sha256(compact, key).digest("base64url")), ["base64"]);
add("HMAC", document(compact, createHmac("sha256", key).update(compact).digest("hex")), ["hmac"]);
add("HMAC with SHA-1", document(compact, createHmac("sha1", key).update(compact).digest("base64")), ["hmac", "sha1", "base64"]);
add("key first", document(compact, sha256(key, compact).digest("hex")), ["key_before_text"]);
add("the key of a .env file, newline and all", document(compact, sha256(compact, `${key}\n`).digest("hex")), ["blanks_around_key"]);
add("the body alone", document(compact, sha256(JSON.stringify(value.body), key).digest("hex")), ["body_only_signed"]);

const text = JSON.stringify(vectors, null, 1) + "\n";
if (process.argv[2] === "--check") {
  if (readFileSync(file, "utf8") !== text) {
    console.error(`${file.pathname} would change`);
    process.exit(1);
  }
} else {
  writeFileSync(file, text);
}
