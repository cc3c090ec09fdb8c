//! Pages of lists: newest first, at most 100 rows, continued by a cursor that only we read. A cursor names the last
//! row that was shown, so rows that come or go meanwhile shift nothing.

use data_encoding::BASE64URL_NOPAD;
use http::{HeaderValue, Uri, header};
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{
    MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::types::{ToJSON, Type};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use serde_json::json;

use crate::directory::access::is_id;
use crate::error::{Error, FieldProblem};

pub const MAX_PAGE: u32 = 100;
const USUAL_PAGE: u32 = 20;
const CURSOR_VERSION: &str = "1.";

/// Where in a list to go on: behind the row of this id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    fn text(&self) -> String {
        BASE64URL_NOPAD.encode(format!("{CURSOR_VERSION}{}", self.0).as_bytes())
    }

    fn parse(text: &str) -> Option<Self> {
        let text = String::from_utf8(BASE64URL_NOPAD.decode(text.as_bytes()).ok()?).ok()?;
        let id = text.strip_prefix(CURSOR_VERSION)?;
        is_id(id).then(|| Self(id.to_owned()))
    }
}

/// What of a list is asked for.
pub struct PageQuery {
    limit: u64,
    after: Option<Cursor>,
    uri: Uri,
}

impl PageQuery {
    pub fn new(uri: &Uri, limit: Option<u32>, cursor: Option<&str>) -> Result<Self, Error> {
        let limit = limit.unwrap_or(USUAL_PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            let problem = FieldProblem::parameter("limit", format!("must be from 1 to {MAX_PAGE}"));
            return Err(Error::Invalid(vec![problem]));
        }
        let after = match cursor {
            None => None,
            Some(text) => Some(Cursor::parse(text).ok_or_else(|| {
                Error::Invalid(vec![FieldProblem::parameter("cursor", "is not one that this list gave")])
            })?),
        };
        Ok(Self { limit: limit.into(), after, uri: uri.clone() })
    }

    /// How many rows are asked for.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// The id behind which the page begins.
    pub fn after(&self) -> Option<&str> {
        self.after.as_ref().map(|Cursor(id)| id.as_str())
    }

    /// A page of rows found otherwise, and the id behind which the next one begins.
    pub fn page<T>(self, rows: Vec<T>, next: Option<String>) -> Page<T> {
        Page { rows, next: next.map(|id| self.link(&Cursor(id))) }
    }

    /// The rows of the page, newest first by their ids.
    pub async fn rows<E: EntityTrait, T>(
        self,
        read: &DatabaseConnection,
        list: Select<E>,
        id: E::Column,
        show: impl Fn(E::Model) -> (String, T),
    ) -> Result<Page<T>, Error> {
        self.try_rows(read, list, id, |row| Ok(show(row))).await
    }

    /// The same of rows that cannot always be shown.
    pub async fn try_rows<E: EntityTrait, T>(
        self,
        read: &DatabaseConnection,
        list: Select<E>,
        id: E::Column,
        show: impl Fn(E::Model) -> Result<(String, T), Error>,
    ) -> Result<Page<T>, Error> {
        let list = match &self.after {
            Some(Cursor(after)) => list.filter(id.lt(after.as_str())),
            None => list,
        };
        let rows = list.order_by_desc(id).limit(self.limit + 1).all(read).await?;
        let mut rows: Vec<(String, T)> = rows.into_iter().map(show).collect::<Result<_, _>>()?;
        let is_more = rows.len() as u64 > self.limit;
        rows.truncate(usize::try_from(self.limit).unwrap_or(usize::MAX));
        let last = rows.last().filter(|_| is_more).map(|(id, _)| Cursor(id.clone()));
        let rows = rows.into_iter().map(|(_, row)| row).collect();
        Ok(Page { rows, next: last.map(|cursor| self.link(&cursor)) })
    }

    /// This list's address at the next page, and the cursor in it.
    fn link(&self, cursor: &Cursor) -> (String, String) {
        let query = self.uri.query().unwrap_or_default();
        let kept = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "cursor");
        let mut next = url::form_urlencoded::Serializer::new(String::new());
        next.extend_pairs(kept).append_pair("cursor", &cursor.text());
        (format!("{}?{}", self.uri.path(), next.finish()), cursor.text())
    }
}

/// A page of a list of `T`.
pub struct Page<T> {
    rows: Vec<T>,
    /// Address and cursor.
    next: Option<(String, String)>,
}

impl<T: ToJSON + Send> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        let rows: Vec<_> = self.rows.iter().map(ToJSON::to_json).collect();
        let mut document = json!({ "data": rows });
        let mut response = Response::builder().content_type("application/json");
        if let Some((address, cursor)) = self.next {
            document["next"] = cursor.into();
            if let Ok(link) = HeaderValue::try_from(format!("<{address}>; rel=\"next\"")) {
                response = response.header(header::LINK, link);
            }
        }
        response.body(document.to_string())
    }
}

impl<T: Type> ApiResponse for Page<T> {
    fn meta() -> MetaResponses {
        let rows = MetaSchema {
            items: Some(Box::new(T::schema_ref())),
            max_items: Some(MAX_PAGE as usize),
            ..MetaSchema::new("array")
        };
        let next = MetaSchema {
            description: Some("The next page's `cursor`; absent on the last page."),
            ..MetaSchema::new("string")
        };
        let page = MetaSchema {
            required: vec!["data"],
            properties: vec![
                ("data", MetaSchemaRef::Inline(Box::new(rows))),
                ("next", MetaSchemaRef::Inline(Box::new(next))),
            ],
            ..MetaSchema::new("object")
        };
        let content = vec![MetaMediaType {
            content_type: "application/json",
            schema: MetaSchemaRef::Inline(Box::new(page)),
        }];
        let link = MetaHeader {
            name: "Link".into(),
            description: Some("`<address>; rel=\"next\"`: the next page; absent on the last page.".into()),
            required: false,
            deprecated: false,
            schema: MetaSchemaRef::Inline(Box::new(MetaSchema::new("string"))),
        };
        let description = "A page.";
        MetaResponses {
            responses: vec![MetaResponse {
                description,
                status: Some(200),
                status_range: None,
                content,
                headers: vec![link],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_given_and_no_other() {
        let cursor = Cursor("01KXVZ5B0000000000000000AB".into());
        assert_eq!(Cursor::parse(&cursor.text()), Some(cursor.clone()));
        for wrong in ["", "x", "MS4", &cursor.0, &BASE64URL_NOPAD.encode(b"1.01KXVZ5B' OR 1=1 --      ")] {
            assert_eq!(Cursor::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_page_holds_1_to_100_rows() {
        let uri = Uri::from_static("/v1/merchants");
        for (limit, is_good) in [(0, false), (1, true), (100, true), (101, false)] {
            assert_eq!(PageQuery::new(&uri, Some(limit), None).is_ok(), is_good, "{limit}");
        }
        assert!(PageQuery::new(&uri, None, None).is_ok_and(|query| query.limit == 20));
    }

    #[test]
    fn the_next_page_keeps_what_was_searched_for() {
        let uri = Uri::from_static("/v1/merchants?q=a%26b&cursor=old&limit=2");
        let query = PageQuery::new(&uri, Some(2), None).expect("is good");
        let (address, cursor) = query.link(&Cursor("01KXVZ5B0000000000000000AB".into()));
        assert_eq!(address, format!("/v1/merchants?q=a%26b&limit=2&cursor={cursor}"));
    }
}
