//! A merchant's REST: orders beside the signed API, lists, timelines, statements, orders under the merchant's own
//! number, and the signature doctor, on both stores.

mod harness;

mod merchant {
    mod lists;
    mod numbers;
    mod orders;
    mod products;
    mod signature;
    mod statement;
    mod timeline;
}
