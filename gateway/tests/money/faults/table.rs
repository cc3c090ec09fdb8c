//! What every fault comes to, one line each, to be checked against `docs/MONEY.md`.
//!
//! *answered*: what the merchant was told of each of its calls, code and status; `opened` is what the product is opened
//! with: code 1, and of a barcode, whose payer types a PIN here, status 0. *order*: as it stands when nobody looks any
//! more; `kept back`: a refund of it waits for a person. *told*: how often its `notifyUrl` heard of the payment. Codes in
//! braces are a line for each, `NN` in it is the code. What follows in a column is in the order in which it came.

/// A line of the table.
pub struct Row {
    pub line: &'static str,
    /// What stands before the code in the fault's name, the codes, what stands behind them.
    fault: (&'static str, Vec<&'static str>, &'static str),
    products: &'static str,
    expected: String,
}

impl Row {
    fn read(line: &'static str) -> Self {
        let mut cells = line.split('|').map(str::trim);
        let (fault, products) = (cells.next().expect("a fault"), cells.next().expect("products"));
        let fault = match fault.split_once('{') {
            None => (fault, vec![""], ""),
            Some((before, rest)) => {
                let (codes, behind) = rest.split_once('}').expect("the codes end");
                (before, codes.split(' ').collect(), behind)
            }
        };
        Self { line, fault, products, expected: cells.collect::<Vec<_>>().join(" | ") }
    }

    /// What this fault comes to by this product, if the line is about it.
    pub fn expects(&self, fault: &str, product: &str) -> Option<String> {
        let (before, codes, behind) = &self.fault;
        let code = fault.strip_prefix(before)?.strip_suffix(behind)?;
        let is_product = match self.products.strip_prefix("not ") {
            Some(other) => other != product,
            None => self.products == "any" || self.products == product,
        };
        (codes.contains(&code) && is_product).then(|| self.expected.replace("NN", code))
    }
}

pub fn rows() -> Vec<Row> {
    TABLE.trim().lines().skip(1).map(Row::read).collect()
}

#[rustfmt::skip]
const TABLE: &str = "
fault                          | product     | answered                   | order          | told  | events                                             | journal
create-slow                    | any         | create opened              | paid           | once  | order.paid                                         | placed answer notice
create-no-answer               | any         | create 21                  | paid           | once  | order.paid                                         | placed answer query notice
create-hang-up                 | any         | create 21                  | paid           | once  | order.paid                                         | placed answer query notice
create-never-arrived           | any         | create 21                  | refused        | never | order.refused                                      | placed answer query query
create-http-500                | any         | create 21                  | refused        | never | order.refused                                      | placed answer query query
create-http-500-opened         | any         | create 21                  | paid           | once  | order.paid                                         | placed answer query notice
create-garbage                 | any         | create 21                  | paid           | once  | order.paid                                         | placed answer query notice
create-bad-signature           | any         | create 21                  | paid           | once  | order.paid                                         | placed answer query notice
create-paid-first              | not barcode | create opened              | paid           | once  | order.paid                                         | placed notice answer
create-paid-first              | barcode     | create 1/1                 | paid           | once  | order.paid                                         | placed notice answer
create-without-code            | not barcode | create 21                  | paid           | once  | order.paid                                         | placed answer notice
create-without-code            | barcode     | create opened              | paid           | once  | order.paid                                         | placed answer notice
query-no-answer                | any         | create opened, query 21    | paid           | once  | order.paid                                         | placed answer notice
query-http-500                 | any         | create opened, query 21    | paid           | once  | order.paid                                         | placed answer notice
query-garbage                  | any         | create opened, query 21    | paid           | once  | order.paid                                         | placed answer notice
query-bad-signature            | any         | create opened, query 21    | paid           | once  | order.paid                                         | placed answer notice
query-wrong-amount             | any         | create opened, query 21    | paid           | once  | fact.quarantined order.paid                        | placed answer query notice
refund-in-progress             | any         | create opened, refund 1/0  | refunded       | once  | order.paid refund.succeeded                        | placed answer notice refund_asked refund_answer query
refund-in-progress-fails       | any         | create opened, refund 1/0  | paid kept back | once  | order.paid                                         | placed answer notice refund_asked refund_answer refund_given_up
refund-fails                   | any         | create opened, refund 1/2  | paid           | once  | order.paid refund.failed                           | placed answer notice refund_asked refund_answer
refund-answer-lost             | any         | create opened, refund 1/0  | refunded       | once  | order.paid refund.succeeded                        | placed answer notice refund_asked refund_answer query
refund-no-answer               | any         | create opened, refund 1/0  | refunded       | once  | order.paid refund.succeeded                        | placed answer notice refund_asked refund_answer query
refund-http-500                | any         | create opened, refund 1/0  | paid kept back | once  | order.paid                                         | placed answer notice refund_asked refund_answer refund_given_up
refund-garbage                 | any         | create opened, refund 1/0  | refunded       | once  | order.paid refund.succeeded                        | placed answer notice refund_asked refund_answer query
refund-bad-signature           | any         | create opened, refund 1/0  | refunded       | once  | order.paid refund.succeeded                        | placed answer notice refund_asked refund_answer query
notice-late                    | any         | create opened              | paid           | once  | order.paid                                         | placed answer query notice
notice-twice                   | any         | create opened              | paid           | once  | order.paid                                         | placed answer notice notice
notice-out-of-order            | any         | create opened              | paid           | once  | order.paid                                         | placed answer notice notice
notice-never                   | any         | create opened              | paid           | once  | order.paid                                         | placed answer query
notice-wrong-amount            | any         | create opened              | paid           | once  | fact.quarantined order.paid                        | placed answer notice query
notice-wrong-currency          | any         | create opened              | paid           | once  | fact.quarantined order.paid                        | placed answer notice query
notice-wrong-key               | any         | create opened              | paid           | once  | order.paid                                         | placed answer query
notice-other-order             | any         | create opened              | paid           | once  | fact.quarantined order.paid                        | placed answer notice query
payer-pays                     | not barcode | create opened              | paid           | once  | order.paid                                         | placed answer query notice
payer-pays                     | barcode     | create 1/1                 | paid           | once  | order.paid                                         | placed answer notice
payer-cancels                  | not barcode | create opened              | closed         | never | order.closed                                       | placed answer query
payer-cancels                  | barcode     | create 21                  | closed         | never | order.closed                                       | placed answer query
payer-fails                    | not barcode | create opened              | failed         | never | order.failed                                       | placed answer query
payer-fails                    | barcode     | create 1/2                 | failed         | never | order.failed                                       | placed answer
payer-fails-then-pays          | not barcode | create opened              | paid late      | once  | order.failed order.paid                            | placed answer query notice
payer-fails-then-pays          | barcode     | create 1/2                 | paid late      | once  | order.failed order.paid                            | placed answer notice
payer-lets-it-expire           | any         | create opened              | closed         | never | order.closed                                       | placed answer query
payer-pays-late                | not barcode | create opened              | paid late      | once  | order.closed order.paid                            | placed answer query notice
payer-pays-late                | barcode     | create 21                  | paid late      | once  | order.closed order.paid                            | placed answer query notice
create-code-{2 9 20 21 22 30 31 32 33 34} | any         | create 21                  | refused        | never | order.refused                                      | placed answer query query
create-code-{3 4 5 35 40 41 42 43 44} | any         | create NN                  | refused        | never | order.refused                                      | placed answer
create-code-{6 7 8}            | any         | create 3                   | refused        | never | order.refused                                      | placed answer
create-code-{2 9 20 21 22 30 31 32 33 34}-opened | any         | create 21                  | paid           | once  | order.paid                                         | placed answer query notice
create-code-{3 4 5 35 40 41 42 43 44}-opened | any         | create NN                  | paid late      | once  | order.refused order.paid                           | placed answer notice
create-code-{6 7 8}-opened     | any         | create 3                   | paid late      | once  | order.refused order.paid                           | placed answer notice
query-code-{2 3 4 5 6 7 8 9 20 21 22 31 32 34 35 40 41 42 43 44} | any         | create opened, query 21    | paid           | once  | order.paid                                         | placed answer notice
query-code-30                  | any         | create opened, query 1/0   | paid           | once  | order.paid                                         | placed answer notice
query-code-33                  | any         | create opened, query 1/2   | paid late      | once  | order.closed order.paid                            | placed answer query notice
refund-code-{2 9 20 21 22 31}  | any         | create opened, refund 1/0  | paid kept back | once  | order.paid                                         | placed answer notice refund_asked refund_answer refund_given_up
refund-code-{3 4 5 30 32 33 34 35 40 41 42 43 44} | any         | create opened, refund NN/2 | paid           | once  | order.paid refund.failed                           | placed answer notice refund_asked refund_answer
refund-code-{6 7 8}            | any         | create opened, refund 3/2  | paid           | once  | order.paid refund.failed                           | placed answer notice refund_asked refund_answer
refund-code-{2 9 20 21 22 31}-made | any         | create opened, refund 1/0  | refunded       | once  | order.paid refund.succeeded                        | placed answer notice refund_asked refund_answer query
refund-code-{3 4 5 30 40 41 42 43 44}-made | any         | create opened, refund NN/2 | paid           | once  | order.paid refund.failed                           | placed answer notice refund_asked refund_answer
refund-code-{6 7 8}-made       | any         | create opened, refund 3/2  | paid           | once  | order.paid refund.failed                           | placed answer notice refund_asked refund_answer
refund-code-{32 33 34 35}-made | any         | create opened, refund NN/2 | refunded       | once  | order.paid refund.failed order.refunded_externally | placed answer notice refund_asked refund_answer query
";
