//! What stays while gateways come and go: the upstream, who there is, and the store as it is looked at from outside.

use std::sync::Arc;
use std::time::Duration;

use gateway::clock::Clock;
use gateway::config::StoreUrl;
use gateway::entity::delivery;
use gateway::store::{Access, Opening, Store};
use sandbox::Sandbox;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use tokio::net::TcpListener;

use crate::harness::{
    ACCOUNT_KEY, HKD_STORE, MERCHANT_KEY, PARTNER_NO, PLATFORM, UPSTREAM_HKD_STORE, UPSTREAM_PARTNER_NO,
};

/// The store is looked at again and again: the last acknowledgements are written after the shop has given them.
pub async fn everything_is_delivered(store: &Store) {
    let mut look = tokio::time::interval(Duration::from_millis(100));
    loop {
        look.tick().await;
        if undelivered(store).await == 0 {
            return;
        }
    }
}

pub async fn start_sandbox() -> Sandbox {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let store = sandbox::Store {
        store_no: UPSTREAM_HKD_STORE.to_owned(),
        currency: shared::money::Currency::parse("HKD").expect("a currency"),
        wallets: shared::wallet::Wallet::ALL.to_vec(),
    };
    let partner = sandbox::Partner {
        partner_no: UPSTREAM_PARTNER_NO.to_owned(),
        sign_key: ACCOUNT_KEY.to_owned(),
        stores: vec![store],
    };
    let mut settings = sandbox::Settings::new(url, vec![partner]);
    // Notices that were not taken come again soon, and for as long as the test may take.
    settings.notice_schedule = vec![Duration::from_millis(200); 1_000];
    let clock = Clock::system();
    sandbox::start(listener, settings, Arc::new(move || clock.now())).expect("a sandbox")
}

pub async fn open(store_url: &str) -> Store {
    let url: StoreUrl = store_url.parse().expect("a store's URL");
    Store::open(&Opening { url, readers: 1, access: Access::Look }).await.expect("the store can be read")
}

async fn undelivered(store: &Store) -> u64 {
    let open = delivery::Entity::find().filter(delivery::Column::State.ne(delivery::State::Delivered));
    open.count(&store.read).await.expect("the store is read")
}

pub fn description(upstream: &str) -> String {
    format!(
        r#"
        [[platform]]
        slug = "{PLATFORM}"
        [[platform.account]]
        name = "main"
        base_url = "{upstream}"
        partner_no = "{UPSTREAM_PARTNER_NO}"
        sign_key = "{ACCOUNT_KEY}"
        [[platform.merchant]]
        name = "Shop"
        partner_no = "{PARTNER_NO}"
        mode = "test"
        sign_key = "{MERCHANT_KEY}"
        [[platform.merchant.store]]
        store_no = "{HKD_STORE}"
        account = "main"
        upstream_store_no = "{UPSTREAM_HKD_STORE}"
        currency = "HKD"
        wallets = ["Alipay"]
        "#
    )
}
