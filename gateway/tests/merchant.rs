//! A merchant's REST: orders beside the signed API, lists, timelines, statements, orders under the merchant's own
//! number, the signature doctor and the self-check, on both stores.

mod harness;

mod merchant {
    mod faulty_shop;
    mod feed;
    mod lists;
    mod numbers;
    mod orders;
    mod products;
    mod selfcheck;
    mod signature;
    mod statement;
    mod timeline;
}
