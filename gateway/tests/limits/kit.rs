//! Requests with all that is said of limits in their answers.

use gateway::entity::{account, merchant, platform, store};
use gateway::ledger::RowStatement;
use sea_orm::EntityTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use serde_json::{Value, json};
use shared::envelope::{Envelope, Side};

use crate::harness::merchant::signed;
use crate::harness::web::{Reply, post_json};
use crate::harness::{MERCHANT_KEY, Node, Order, PARTNER_NO, PLATFORM, Stage};

pub const CREATE: &str = "offline/qrcode";
pub const QUERY: &str = "common/payQuery";

/// An answer of the signed API with its header.
#[derive(Debug)]
pub struct Told {
    pub code: i64,
    pub msg: String,
    /// Whether it was signed with the key the request was signed with.
    pub genuine: bool,
    pub limit: Option<String>,
    pub policy: Option<String>,
    pub retry_after: Option<u64>,
}

impl Told {
    fn of(reply: &Reply, key: &str) -> Self {
        assert_eq!(reply.status, 200, "{reply:?}");
        let envelope = Envelope::read(&reply.body, Side::Response).expect("an envelope");
        let body = &reply.json()["response"]["body"];
        let text = |name| reply.header(name).map(str::to_owned);
        Self {
            code: body["code"].as_i64().expect("a code"),
            msg: body["msg"].as_str().expect("a msg").to_owned(),
            genuine: envelope.verifies(key),
            limit: text("ratelimit"),
            policy: text("ratelimit-policy"),
            retry_after: text("retry-after").map(|text| text.parse().expect("whole seconds")),
        }
    }

    /// The refusal of one bucket, told everywhere it is to be told.
    pub fn assert_over(&self, bucket: &str) {
        assert_eq!((self.code, self.genuine), (9, true), "{self:?}");
        assert!(self.msg.contains(&format!("\"{bucket}\"")), "{self:?}");
        let retry_after = self.retry_after.expect("when to come again");
        assert_eq!(self.limit, Some(format!("\"{bucket}\";r=0;t={retry_after}")), "{self:?}");
        assert!(self.policy.as_ref().is_some_and(|policy| policy.starts_with(&format!("\"{bucket}\";q="))));
    }

    /// Not refused by any limit.
    pub fn assert_within(&self) {
        assert!(self.code != 9 && self.genuine, "{self:?}");
        assert_eq!(self.retry_after, None);
    }

    /// What is left in this bucket.
    pub fn left(&self, bucket: &str) -> Option<u32> {
        let limit = self.limit.as_ref()?;
        let item = limit.split(", ").find_map(|item| item.strip_prefix(&format!("\"{bucket}\";r=")))?;
        Some(item.split(';').next()?.parse().expect("a number"))
    }
}

pub async fn post(node: &Node, operation: &str, document: String, key: &str) -> Told {
    let url = node.url(&format!("/{PLATFORM}/api/{operation}"));
    Told::of(&post_json(&url, document).await, key)
}

/// Place the order on this node.
pub async fn create_on(node: &Node, order: &Order) -> Told {
    let now = node.app.clock.now();
    let document = signed(&order.partner_no, &order.key, &order.message_id, &order.body, now);
    post(node, CREATE, document, &order.key).await
}

/// Ask after the order on this node, as the first merchant.
pub async fn query_on(node: &Node, number: &str) -> Told {
    let body = json!({ "partnerOrderNo": number });
    let document = signed(PARTNER_NO, MERCHANT_KEY, "", &body, node.app.clock.now());
    post(node, QUERY, document, MERCHANT_KEY).await
}

impl Stage {
    pub async fn place(&self, order: &Order) -> Told {
        create_on(self.node(), order).await
    }

    pub async fn look_up(&self, number: &str) -> Told {
        query_on(self.node(), number).await
    }

    /// The usual order in the other store.
    pub fn yen_order(&self, number: &str) -> Order {
        let mut order = self.order(number);
        order.body["storeNo"] = json!(crate::harness::JPY_STORE);
        order.body["currency"] = json!("JPY");
        order.body["wallet"] = json!("Wechat");
        order
    }

    pub async fn limit_platform(&self, count: i64, window_ms: i64) {
        let id = self.app().directory.merchant_by_id(&self.merchant_id()).expect("there").platform.id.clone();
        let columns = (platform::Column::LimitCount, platform::Column::LimitWindowMs);
        self.limit::<platform::Entity>(platform::Column::Id, &id, columns, count, window_ms).await;
    }

    pub async fn limit_merchant(&self, count: i64, window_ms: i64) {
        let columns = (merchant::Column::LimitCount, merchant::Column::LimitWindowMs);
        let id = self.merchant_id();
        self.limit::<merchant::Entity>(merchant::Column::Id, &id, columns, count, window_ms).await;
    }

    pub async fn limit_store(&self, store_no: &str, count: i64, window_ms: i64) {
        let merchant = self.app().directory.merchant_by_id(&self.merchant_id()).expect("there");
        let columns = (store::Column::LimitCount, store::Column::LimitWindowMs);
        let id = &merchant.stores[store_no].id;
        self.limit::<store::Entity>(store::Column::Id, id, columns, count, window_ms).await;
    }

    pub async fn limit_account(&self, count: i64, window_ms: i64) {
        let columns = (account::Column::LimitCount, account::Column::LimitWindowMs);
        let id = self.account_id();
        self.limit::<account::Entity>(account::Column::Id, &id, columns, count, window_ms).await;
    }

    async fn limit<E: EntityTrait>(
        &self,
        key: E::Column,
        id: &str,
        (count_column, window_column): (E::Column, E::Column),
        count: i64,
        window_ms: i64,
    ) {
        let update = Query::update()
            .table(E::default())
            .value(count_column, count)
            .value(window_column, window_ms)
            .and_where(Expr::col(key).eq(id))
            .to_owned();
        self.write(vec![RowStatement::Update(update)]).await;
    }
}

/// A body of an order that cannot be read as one.
pub fn malformed(order: &Order) -> Order {
    let mut order = order.clone();
    order.body["orderAmount"] = Value::from("much");
    order
}

impl Stage {
    /// The store's own rules refuse this statement.
    pub async fn assert_refused(&self, statement: String) {
        use sqlx::{AssertSqlSafe, Connection, Executor};
        let url = &self.world.store_url;
        let statement = AssertSqlSafe(statement);
        let refused = if self.app().store.path.is_some() {
            let mut connection = sqlx::SqliteConnection::connect(url).await.expect("the store opens");
            connection.execute(statement).await.map(drop)
        } else {
            let mut connection = sqlx::PgConnection::connect(url).await.expect("the store opens");
            connection.execute(statement).await.map(drop)
        };
        let error = refused.expect_err("it breaks a rule");
        let kind = error.as_database_error().map(sqlx::error::DatabaseError::kind);
        assert!(matches!(kind, Some(sqlx::error::ErrorKind::CheckViolation)), "{error}");
    }
}
