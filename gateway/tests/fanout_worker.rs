//! How deliveries are shared out: endpoint by endpoint, in sequence, at each one's pace, and fairly between owners; and
//! what becomes of endpoints that fail.

mod harness;

mod fanout_worker {
    mod failing;
    mod fair;
    mod kit;
    mod lanes;
    mod leaving;
    mod pages;
    mod scan;
    mod service;
}
