//! `scangate client`: signed orders, queries and refunds from the command line, why a signature fails, what a shop's
//! endpoint makes of drills, and events brought to a developer's machine, for merchants' developers. It speaks the protocol of `docs/PROTOCOL.md` to any gateway, and to ScanForPay itself; of the server it shares the table of products.

mod diagnose;
mod exchange;
mod listen;
mod qr;
mod report;
mod rest;
mod selfcheck;
mod target;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use data_encoding::HEXLOWER;
use rand::TryRng;
use rand::rngs::SysRng;
use serde::Serialize;
use shared::envelope::{Side, request_header, seal};
use time::OffsetDateTime;
use time::macros::{format_description, offset};

use diagnose::DiagnoseArgs;
use exchange::{Failure, Request};
use listen::ListenArgs;
use report::{Answer, Subject};
use selfcheck::SelfCheckArgs;
pub(crate) use target::quoted;
use target::{Target, TargetArgs};

use crate::clock::Clock;
use crate::product::{self, Product, QRCODE};

#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Place an order, and show the address or the code that it is paid by as a QR code too
    Order(OrderArgs),
    /// Ask for an order's state
    Query(QueryArgs),
    /// Give back what was paid, or a part of it; the same refund number again tells how it stands
    Refund(RefundArgs),
    /// Say why a request's signature does not verify; nothing is sent
    Diagnose(DiagnoseArgs),
    /// Have the gateway send drills to a test merchant's endpoint, and say what its answers mean
    #[command(name = "selfcheck")]
    SelfCheck(SelfCheckArgs),
    /// Bring events to a program on this machine as they are told, signed as for a registered endpoint
    Listen(ListenArgs),
}

#[derive(Debug, Args)]
pub struct OrderArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// The way to pay
    #[arg(long, value_name = "P", default_value = QRCODE.name, value_parser = products())]
    product: &'static Product,
    /// What the payer pays with: `Wechat`, `Alipay` or `AlipayHK`; a barcode says so itself
    #[arg(long, required_unless_present = "barcode")]
    wallet: Option<String>,
    /// The payer's code as scanned, for the product `barcode`
    #[arg(long, value_name = "C")]
    barcode: Option<String>,
    /// The amount in the currency's smallest unit: 2100 is 21.00 HKD, and 2100 JPY
    #[arg(long, allow_negative_numbers = true)]
    amount: i64,
    /// The store's currency, such as `HKD`; products that have no such field are not sent it
    #[arg(long)]
    currency: String,
    /// The store's number; with --demo, the first store of that currency unless given
    #[arg(long, value_name = "S", required_unless_present = "demo")]
    store_no: Option<String>,
    /// The shop's order number, at most 32 characters; made up unless given
    #[arg(long, value_name = "N")]
    number: Option<String>,
    /// What the payer is shown
    #[arg(long, value_name = "T")]
    title: Option<String>,
    /// Where the shop hears of the payment; with --demo, the demo shop unless given
    #[arg(long, value_name = "U")]
    notify_url: Option<String>,
    /// Where the payer's browser goes afterwards; with --demo, the demo shop unless given
    #[arg(long, value_name = "U")]
    return_url: Option<String>,
    /// How long it can be paid, for the product `transaction_qr`: `1m` to `15d`, or `1c`, until midnight
    #[arg(long, value_name = "T")]
    time_to_pay: Option<String>,
}

fn products() -> impl TypedValueParser<Value = &'static Product> {
    let names = PossibleValuesParser::new(product::ALL.map(|product| product.name));
    names.map(|name| product::named(&name).expect("only names of products are possible"))
}

#[derive(Debug, Args)]
pub struct QueryArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// The store's number; ScanForPay's reference asks for it, a gateway does not need it
    #[arg(long, value_name = "S")]
    store_no: Option<String>,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
pub struct RefundArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// The shop's own order number
    #[arg(long, value_name = "N")]
    number: String,
    /// The shop's refund number, at most 32 characters; made up unless given
    #[arg(long, value_name = "R")]
    refund_no: Option<String>,
    /// The amount to give back in the currency's smallest unit: 700 is 7.00 HKD, and 700 JPY
    #[arg(long, allow_negative_numbers = true)]
    amount: i64,
    /// The cashier
    #[arg(long, value_name = "O")]
    operator_id: Option<String>,
    /// The till
    #[arg(long, value_name = "T")]
    terminal_no: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// The shop's own order number
    #[arg(long, value_name = "N")]
    number: Option<String>,
    /// The order number that the answer to the order named
    #[arg(long, value_name = "O")]
    order_no: Option<String>,
}

/// What the caller has to put right before anything can be sent; exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// Time and chance of one call.
struct Moment {
    now: OffsetDateTime,
    chance: [u8; 16],
}

impl Moment {
    #[expect(clippy::disallowed_methods, reason = "a command on a developer's machine has no server's clock")]
    fn take() -> anyhow::Result<Self> {
        let mut chance = [0; 16];
        SysRng.try_fill_bytes(&mut chance).context("the operating system gives no random bytes")?;
        // The documented samples carry ScanForPay's own offset, so that is what surely works there.
        Ok(Self { now: OffsetDateTime::now_utc().to_offset(offset!(+8)), chance })
    }

    fn message_id(&self) -> String {
        HEXLOWER.encode(&self.chance)
    }

    fn order_number(&self) -> String {
        self.number('p')
    }

    fn refund_number(&self) -> String {
        self.number('r')
    }

    /// A number that sorts by time and fits 32 characters.
    fn number(&self, kind: char) -> String {
        let layout = format_description!("[year][month][day][hour][minute][second]");
        let time = self.now.format(layout).expect("the layout asks for what every time has");
        format!("{kind}{time}{}", HEXLOWER.encode(&self.chance[..4]))
    }
}

/// One signed call, ready to go.
struct Call {
    target: Target,
    subject: Subject,
    body: String,
    /// The command that tells what became of it, without the key.
    ask: String,
    raw: bool,
}

/// Send the command's call and show what came back. Exit code 0 for a verified answer of code 1 (or a diagnosed
/// signature that is right, or a self-check of full score), 1 for any other, 2 where the command itself has to be put
/// right, 3 for a self-check that found something. Listening ends with 0 when it is told to end.
pub async fn run(command: ClientCommand) -> anyhow::Result<ExitCode> {
    let moment = Moment::take()?;
    let prepared = match command {
        ClientCommand::Order(args) => order(args, &moment),
        ClientCommand::Query(args) => query(&args),
        ClientCommand::Refund(args) => refund(args, &moment),
        ClientCommand::SelfCheck(args) => {
            return match args.prepare() {
                Ok(question) => selfcheck::ask(&question, &mut io::stdout()).await,
                Err(usage) => Ok(misused(&usage)),
            };
        }
        ClientCommand::Listen(args) => {
            return match args.prepare(Clock::system()) {
                Ok(listening) => listen::run(listening, &mut io::stdout()).await,
                Err(usage) => Ok(misused(&usage)),
            };
        }
        ClientCommand::Diagnose(args) => {
            return match args.prepare() {
                Ok(question) if diagnose::answer(&question, &mut io::stdout())? => Ok(ExitCode::SUCCESS),
                Ok(_) => Ok(ExitCode::FAILURE),
                Err(usage) => Ok(misused(&usage)),
            };
        }
    };
    let call = match prepared {
        Ok(call) => call,
        Err(usage) => return Ok(misused(&usage)),
    };
    let screen = qr::Screen::of_stdout();
    let mut out = io::stdout();
    match make(&call, &moment, screen, &mut out).await {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::FAILURE),
        Err(error) => {
            // Said here and not by the caller: a refused connection needs no backtrace.
            eprintln!("error: {error:#}");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn misused(usage: &Usage) -> ExitCode {
    eprintln!("error: {usage}");
    ExitCode::from(2)
}

/// Whether the answer was verified and says success.
async fn make(
    call: &Call,
    moment: &Moment,
    screen: Option<qr::Screen>,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let header = request_header(&call.target.partner_no, &moment.message_id(), moment.now);
    let request = Request {
        address: call.target.address(call.subject.path()),
        document: seal(Side::Request, &header, &call.body, call.target.key.reveal()),
    };
    if call.raw {
        report::raw_sent(out, &request, io::stdout().is_terminal())?;
    }
    let received = exchange::send(&request).await.map_err(|failure| explain(failure, call))?;
    if call.raw {
        report::raw_received(out, &received, io::stdout().is_terminal())?;
    }
    let answer = Answer::read(&received.body, call.target.key.reveal()).map_err(|error| {
        let excerpt = report::excerpt(&received.body);
        let error =
            anyhow!("HTTP {}, and what came is no signed answer: {error}\n  {excerpt}", received.status);
        explain(Failure::NoAnswer(error), call)
    })?;
    report::show(out, &answer, &call.subject, screen)?;
    out.flush()?;
    for line in answer.warnings() {
        eprintln!("{line}");
    }
    if answer.leaves_an_order() && !call.ask.is_empty() {
        writeln!(out, "\nits state:  {}", call.ask)?;
    }
    Ok(answer.accepted())
}

fn explain(failure: Failure, call: &Call) -> anyhow::Error {
    match failure {
        Failure::NoAnswer(error) if matches!(call.subject, Subject::Order { .. }) => {
            anyhow!(
                "{error:#}\nThe order may be placed all the same. Ask before you send it again:\n  {}",
                call.ask
            )
        }
        Failure::NoAnswer(error) if matches!(call.subject, Subject::Refund { .. }) => {
            anyhow!(
                "{error:#}\nThe money may be given back all the same. The same number again tells, and refunds nothing \
                 twice:\n  {}",
                call.ask
            )
        }
        Failure::NotSent(error) | Failure::NoAnswer(error) => error,
    }
}

fn order(args: OrderArgs, moment: &Moment) -> Result<Call, Usage> {
    let product = args.product;
    let options = [
        ("barcode", "--barcode", &args.barcode),
        ("wallet", "--wallet", &args.wallet),
        ("returnUrl", "--return-url", &args.return_url),
        ("it_b_pay", "--time-to-pay", &args.time_to_pay),
    ];
    for (field, option, given) in options {
        let is_required = product.fields.iter().any(|known| known.name == field && known.required);
        match given {
            Some(_) if !product.takes(field) => {
                return Err(Usage(format!("{option} is not for the product {}", product.name)));
            }
            None if is_required => {
                return Err(Usage(format!("the product {} needs {option}", product.name)));
            }
            _ => {}
        }
    }
    let target = args.target.resolve()?;
    let store_no = match args.store_no {
        Some(store_no) => store_no,
        None => target.store_for(&args.currency, args.wallet.as_deref().unwrap_or_default())?,
    };
    let number = args.number.unwrap_or_else(|| moment.order_number());
    let given = [
        ("storeNo", Some(store_no.as_str())),
        ("partnerOrderNo", Some(number.as_str())),
        ("wallet", args.wallet.as_deref()),
        ("barcode", args.barcode.as_deref()),
        ("currency", Some(args.currency.as_str())),
        ("orderTitle", args.title.as_deref()),
        ("notifyUrl", args.notify_url.as_deref().or(target.notify_url())),
        ("returnUrl", args.return_url.as_deref().or(target.return_url())),
        ("it_b_pay", args.time_to_pay.as_deref()),
    ];
    let given = given.into_iter().filter(|(name, _)| product.takes(name));
    let mut body: serde_json::Map<String, serde_json::Value> =
        given.filter_map(|(name, text)| Some((name.to_owned(), text?.into()))).collect();
    body.insert("orderAmount".to_owned(), args.amount.into());
    let body = serde_json::to_string(&body).expect("strings and an integer serialise");
    let ask = format!("scangate client query {} --number {}", args.target.spelled(), target::quoted(&number));
    Ok(Call { target, subject: Subject::Order { number, product }, body, ask, raw: args.target.raw })
}

fn query(args: &QueryArgs) -> Result<Call, Usage> {
    let target = args.target.resolve()?;
    let given = [
        ("storeNo", &args.store_no),
        ("partnerOrderNo", &args.which.number),
        ("orderNo", &args.which.order_no),
    ];
    let body: serde_json::Map<String, serde_json::Value> = given
        .into_iter()
        .filter_map(|(name, text)| Some((name.to_owned(), text.as_deref()?.into())))
        .collect();
    let body = serde_json::to_string(&body).expect("strings serialise");
    Ok(Call { target, subject: Subject::Query, body, ask: String::new(), raw: args.target.raw })
}

fn refund(args: RefundArgs, moment: &Moment) -> Result<Call, Usage> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        partner_order_no: &'a str,
        refund_no: &'a str,
        order_amount: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        operator_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        terminal_no: Option<&'a str>,
    }
    let target = args.target.resolve()?;
    let refund_no = args.refund_no.unwrap_or_else(|| moment.refund_number());
    let body = Body {
        partner_order_no: &args.number,
        refund_no: &refund_no,
        order_amount: args.amount,
        operator_id: args.operator_id.as_deref(),
        terminal_no: args.terminal_no.as_deref(),
    };
    let body = serde_json::to_string(&body).expect("strings and an integer serialise");
    let ask = format!(
        "scangate client refund {} --number {} --refund-no {} --amount {}",
        args.target.spelled(),
        target::quoted(&args.number),
        target::quoted(&refund_no),
        args.amount
    );
    Ok(Call { target, subject: Subject::Refund { refund_no }, body, ask, raw: args.target.raw })
}

#[cfg(test)]
mod tests;
