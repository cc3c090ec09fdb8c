#![allow(clippy::all, clippy::pedantic, clippy::disallowed_methods)]
use sandbox::shop::*;
use sandbox::*;
use std::sync::Arc;
#[tokio::main]
async fn main() {
    let l = tokio::net::TcpListener::bind("127.0.0.1:18081").await.expect("p");
    let l2 = tokio::net::TcpListener::bind("127.0.0.1:18083").await.expect("p");
    let partners = vec![Partner {
        partner_no: "10001".into(),
        sign_key: "123456".into(),
        stores: vec![Store {
            store_no: "100010000000002".into(),
            currency: shared::money::Currency::parse("HKD").expect("c"),
            wallets: shared::wallet::Wallet::ALL.to_vec(),
        }],
    }];
    let _s = sandbox::start(
        l,
        Settings::new("http://127.0.0.1:18081", partners),
        Arc::new(time::OffsetDateTime::now_utc),
    )
    .expect("s");
    let _p = shop::start(
        l2,
        ShopSettings { partner_no: "10001".into(), sign_key: "123456".into(), print: true, ask: None },
    )
    .expect("s");
    std::future::pending::<()>().await;
}
