//! The REST API under `/v1`: what all resources share, and each resource, on both stores.

mod harness;

mod rest {
    mod accounts;
    mod attention;
    mod audit;
    mod erasure;
    mod keys;
    mod leaving;
    mod master_key;
    mod merchants;
    mod moving;
    mod onboarding;
    mod once;
    mod pages;
    mod retention;
    mod scale;
    mod secrets;
    mod shapes;
    mod sign_keys;
    mod stores;
    mod tenancy;
}
