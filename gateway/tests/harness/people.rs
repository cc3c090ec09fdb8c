//! Other merchants, and changes of merchants, stores and keys, written as the gateway's own tools write them.

use gateway::directory::setup::{Description, Workshop};
use gateway::entity::{merchant, sign_key, store};
use gateway::ledger::{Lane, RowStatement, insert_rows};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use serde_json::{Value, json};
use shared::money::Currency;
use shared::wallet::Wallet;

use super::{
    ACCOUNT_KEY, HKD_STORE, JPY_STORE, Order, PARTNER_NO, PLATFORM, Stage, UPSTREAM_HKD_STORE,
    UPSTREAM_JPY_STORE, UPSTREAM_PARTNER_NO,
};

/// The second merchant of the first platform.
pub const NEIGHBOUR_NO: &str = "10002";
pub const NEIGHBOUR_KEY: &str = "b1946ac92492d2347c6235b4d2611184b1946ac92492d2347c6235b4d2611184";
pub const NEIGHBOUR_STORE: &str = "100010000000009";
pub const UPSTREAM_NEIGHBOUR_STORE: &str = "900010000000009";

/// Another platform. Its merchant and its store have the same numbers as the first platform's.
pub const OTHER_PLATFORM: &str = "other";
pub const OTHER_KEY: &str = "591785b794601e212b260e25925636fd591785b794601e212b260e25925636fd";
const OTHER_UPSTREAM_PARTNER_NO: &str = "90002";
const OTHER_ACCOUNT_KEY: &str = "6dcd4ce23d88e2ee9568ba546c007c636dcd4ce23d88e2ee9568ba546c007c63";

fn upstream_store(store_no: &str, currency: &str) -> sandbox::Store {
    sandbox::Store {
        store_no: store_no.to_owned(),
        currency: Currency::parse(currency).expect("a currency"),
        wallets: Wallet::ALL.to_vec(),
    }
}

/// The first account's partner as the upstream knows it.
pub fn upstream_partner(sign_key: &str) -> sandbox::Partner {
    sandbox::Partner {
        partner_no: UPSTREAM_PARTNER_NO.to_owned(),
        sign_key: sign_key.to_owned(),
        stores: vec![
            upstream_store(UPSTREAM_HKD_STORE, "HKD"),
            upstream_store(UPSTREAM_JPY_STORE, "JPY"),
            upstream_store(UPSTREAM_NEIGHBOUR_STORE, "HKD"),
        ],
    }
}

impl Stage {
    /// Let the neighbour and the other platform move in.
    pub async fn others_move_in(&self) {
        let base_url = self.world.sandbox.base_url();
        let other_api_key = &self.world.keys.other;
        let text = format!(
            r#"
            [[platform]]
            slug = "{PLATFORM}"
            [[platform.account]]
            name = "main"
            base_url = "{base_url}"
            partner_no = "{UPSTREAM_PARTNER_NO}"
            sign_key = "{ACCOUNT_KEY}"
            [[platform.merchant]]
            name = "Neighbour"
            partner_no = "{NEIGHBOUR_NO}"
            mode = "test"
            sign_key = "{NEIGHBOUR_KEY}"
            [[platform.merchant.store]]
            store_no = "{NEIGHBOUR_STORE}"
            account = "main"
            upstream_store_no = "{UPSTREAM_NEIGHBOUR_STORE}"
            currency = "HKD"
            wallets = ["Alipay"]
            [[platform]]
            slug = "{OTHER_PLATFORM}"
            [[platform.api_key]]
            name = "test"
            mode = "test"
            key = "{other_api_key}"
            [[platform.account]]
            name = "main"
            base_url = "{base_url}"
            partner_no = "{OTHER_UPSTREAM_PARTNER_NO}"
            sign_key = "{OTHER_ACCOUNT_KEY}"
            [[platform.merchant]]
            name = "Namesake"
            partner_no = "{PARTNER_NO}"
            mode = "test"
            sign_key = "{OTHER_KEY}"
            [[platform.merchant.store]]
            store_no = "{HKD_STORE}"
            account = "main"
            upstream_store_no = "{UPSTREAM_HKD_STORE}"
            currency = "HKD"
            wallets = ["Alipay"]
            "#
        );
        let description: Description = toml::from_str(&text).expect("a description");
        Workshop::of(self.app()).make(&description).await.expect("they are made");
        self.reload().await;
        let other = sandbox::Partner {
            partner_no: OTHER_UPSTREAM_PARTNER_NO.to_owned(),
            sign_key: OTHER_ACCOUNT_KEY.to_owned(),
            stores: vec![upstream_store(UPSTREAM_HKD_STORE, "HKD")],
        };
        for partner in [upstream_partner(ACCOUNT_KEY), other] {
            self.upstream().set_partner(partner).expect("the upstream knows them");
        }
    }

    /// The usual order, placed by the neighbour.
    pub fn neighbours_order(&self, number: &str) -> Order {
        let mut order = self.order(number);
        order.body["storeNo"] = json!(NEIGHBOUR_STORE);
        NEIGHBOUR_NO.clone_into(&mut order.partner_no);
        NEIGHBOUR_KEY.clone_into(&mut order.key);
        order
    }

    pub fn merchant_id(&self) -> String {
        self.app().directory.merchant(PLATFORM, PARTNER_NO).expect("the merchant is there").id.clone()
    }

    pub fn neighbour_id(&self) -> String {
        self.app().directory.merchant(PLATFORM, NEIGHBOUR_NO).expect("the neighbour is there").id.clone()
    }

    /// The other platform's merchant.
    pub fn other_id(&self) -> String {
        self.app().directory.merchant(OTHER_PLATFORM, PARTNER_NO).expect("the other is there").id.clone()
    }

    pub fn store_id(&self) -> String {
        let merchant = self.app().directory.merchant(PLATFORM, PARTNER_NO).expect("the merchant is there");
        merchant.stores[HKD_STORE].id.clone()
    }

    pub fn account_id(&self) -> String {
        let merchant = self.app().directory.merchant(PLATFORM, PARTNER_NO).expect("the merchant is there");
        merchant.stores[JPY_STORE].account.id.clone()
    }

    pub async fn suspend_merchant(&self) {
        self.set_merchant(merchant::Column::Status, json!("suspended")).await;
    }

    /// `enforce` or `warn`.
    pub async fn set_freshness_mode(&self, mode: &str) {
        self.set_merchant(merchant::Column::FreshnessMode, json!(mode)).await;
    }

    pub async fn set_freshness_ms(&self, window: i64) {
        self.set_merchant(merchant::Column::FreshnessMs, json!(window)).await;
    }

    async fn set_merchant(&self, column: merchant::Column, value: Value) {
        let mut update = Query::update();
        update.table(merchant::Entity).and_where(Expr::col(merchant::Column::Id).eq(self.merchant_id()));
        match value.as_i64() {
            Some(number) => update.value(column, number),
            None => update.value(column, value.as_str().expect("a number or a text")),
        };
        self.write(vec![RowStatement::Update(update)]).await;
    }

    pub async fn disable_store(&self, store_no: &str) {
        let update = Query::update()
            .table(store::Entity)
            .value(store::Column::Status, "disabled")
            .and_where(Expr::col(store::Column::MerchantId).eq(self.merchant_id()))
            .and_where(Expr::col(store::Column::StoreNo).eq(store_no))
            .to_owned();
        self.write(vec![RowStatement::Update(update)]).await;
    }

    /// Give the merchant a new key; the previous one is good for `grace_ms` more. Returns the new version's id.
    pub async fn rotate_merchant_key(&self, key: &str, grace_ms: i64) -> String {
        self.rotate("merchant", &self.merchant_id(), key, grace_ms).await
    }

    /// The same of the account at ScanForPay.
    pub async fn rotate_account_key(&self, key: &str, grace_ms: i64) -> String {
        self.rotate("account", &self.account_id(), key, grace_ms).await
    }

    async fn rotate(&self, owner_kind: &str, owner_id: &str, key: &str, grace_ms: i64) -> String {
        let app = self.app();
        let (now, id) = (app.clock.now_ms(), app.chance.id());
        let expire = Query::update()
            .table(sign_key::Entity)
            .value(sign_key::Column::ExpiresAt, now + grace_ms)
            .and_where(Expr::col(sign_key::Column::OwnerId).eq(owner_id))
            .and_where(Expr::col(sign_key::Column::ExpiresAt).is_null())
            .to_owned();
        let insert = insert_rows::<sign_key::Entity>(&[sign_key::Model {
            id: id.clone(),
            owner_kind: owner_kind.to_owned(),
            owner_id: owner_id.to_owned(),
            version: 2,
            sealed: app.vault.seal(&id, key.as_bytes()).bytes,
            master_key_id: app.vault.key_id(),
            created_at: now,
            expires_at: None,
            last_used_at: None,
        }]);
        self.write(vec![RowStatement::Update(expire), insert]).await;
        id
    }

    /// Write rows of the directory and have them take effect.
    pub async fn write(&self, statements: Vec<RowStatement>) {
        let room = self.app().ledger.room(Lane::Bulk, "directory").expect("there is room");
        room.rows(statements).await.expect("the rows are written");
        self.reload().await;
    }

    async fn reload(&self) {
        let app = self.app();
        app.directory.reload(&app.store.read, &app.vault).await.expect("everybody is loaded");
    }
}
