//! The REST API under `/v1`: what all resources share, and each resource, on both stores.

mod harness;

mod rest {
    mod audit;
    mod keys;
    mod merchants;
    mod once;
    mod pages;
    mod shapes;
    mod tenancy;
}
