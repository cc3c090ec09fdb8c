//! Who knows an operator's password comes in; who guesses is slowed down, and learns nothing about names.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use gateway::directory::acts::Actor;
use gateway::directory::operators::lockout::{FIRST_LOCK, FORGOTTEN_AFTER, FREE_FAILURES};
use gateway::directory::operators::{
    LoginError, NewOperator, Operator, OperatorError, Role, add, disable, find, list, log_in, set_password,
    sweep,
};
use gateway::directory::tokens::{Audience, Grant, TokenError};
use gateway::entity::login_failure;
use sea_orm::{EntityTrait, PaginatorTrait};
use zeroize::Zeroizing;

use crate::harness::people::OTHER_PLATFORM;
use crate::harness::{PLATFORM, Stage};
use crate::on_both;

const PASSWORD: &str = "correct horse battery";
const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

fn anna() -> NewOperator {
    NewOperator { name: "anna".to_owned(), password: PASSWORD.to_owned(), role: Role::Admin, platform: None }
}

async fn try_from(
    stage: &Stage,
    address: IpAddr,
    name: &str,
    password: &str,
) -> Result<Operator, LoginError> {
    log_in(stage.app(), name.to_owned(), Zeroizing::new(password.to_owned()), address).await
}

async fn wrong(stage: &Stage, name: &str) {
    let told = try_from(stage, HOME, name, "another password").await;
    assert!(matches!(told, Err(LoginError::Wrong)), "{told:?}");
}

async fn locked(stage: &Stage, name: &str, password: &str) -> Duration {
    match try_from(stage, ELSEWHERE, name, password).await {
        Err(LoginError::TooMany(wait)) => wait,
        told => panic!("{told:?}"),
    }
}

on_both!(whoever_knows_the_password_comes_in_and_is_who_was_added, async |stage: &mut Stage| {
    stage.others_move_in().await;
    add(stage.app(), anna(), &Actor::Command).await.expect("added");
    let ben = NewOperator {
        name: "ben".to_owned(),
        role: Role::Viewer,
        platform: Some(PLATFORM.to_owned()),
        ..anna()
    };
    add(stage.app(), ben, &Actor::Command).await.expect("added");
    let anna = try_from(stage, HOME, "anna", PASSWORD).await.expect("she comes in");
    assert_eq!((anna.role, anna.scope().as_str()), (Role::Admin, "all"));
    let ben = try_from(stage, HOME, "ben", PASSWORD).await.expect("he comes in");
    assert_eq!((ben.role, ben.scope().as_str()), (Role::Viewer, "platform:demo"));
    let other = stage.app().directory.merchant(OTHER_PLATFORM, "10001").expect("it is there");
    let ours = stage.app().directory.merchant(PLATFORM, "10001").expect("it is there");
    assert!(ben.reaches(&ours.platform_id) && !ben.reaches(&other.platform_id));
    assert!(anna.reaches(&ours.platform_id) && anna.reaches(&other.platform_id));
    assert_eq!(find(stage.app(), &ben.id).await.expect("read"), Some(ben.clone()));
    let names = async |limit| -> Vec<String> {
        let listed = list(stage.app(), limit).await.expect("read");
        listed.into_iter().map(|operator| operator.name).collect()
    };
    assert_eq!(names(9).await, ["anna", "ben"]);
    assert_eq!(names(1).await, ["anna"]);
});

on_both!(
    an_unknown_name_a_wrong_password_and_a_disabled_operator_are_told_the_same,
    async |stage: &mut Stage| {
        let app = stage.app();
        add(app, anna(), &Actor::Command).await.expect("added");
        add(app, NewOperator { name: "ben".to_owned(), ..anna() }, &Actor::Command).await.expect("added");
        disable(app, "ben", None, &Actor::Command).await.expect("disabled");
        wrong(stage, "anna").await;
        wrong(stage, "nobody").await;
        let ben = try_from(stage, HOME, "ben", PASSWORD).await;
        assert!(matches!(ben, Err(LoginError::Wrong)), "{ben:?}");
        for name in ["", "anna'--", "ANNA", &"x".repeat(100_000)] {
            wrong(stage, name).await;
        }
        assert!(matches!(add(app, anna(), &Actor::Command).await, Err(OperatorError::Taken(_))));
    }
);

on_both!(
    a_name_is_locked_after_wrong_passwords_longer_each_time_whether_anybody_has_it_or_not,
    async |stage: &mut Stage| {
        add(stage.app(), anna(), &Actor::Command).await.expect("added");
        for name in ["anna", "nobody"] {
            for _ in 0..FREE_FAILURES {
                wrong(stage, name).await;
            }
            assert_eq!(locked(stage, name, PASSWORD).await, FIRST_LOCK);
        }
        stage.restart().await;
        assert_eq!(locked(stage, "anna", PASSWORD).await, FIRST_LOCK, "a restart forgives nothing");
        assert_eq!(locked(stage, "nobody", PASSWORD).await, FIRST_LOCK);
        stage.advance(FIRST_LOCK);
        wrong(stage, "anna").await;
        assert_eq!(locked(stage, "anna", PASSWORD).await, 2 * FIRST_LOCK);
        stage.advance(2 * FIRST_LOCK);
        try_from(stage, ELSEWHERE, "anna", PASSWORD).await.expect("the lock is over");
        wrong(stage, "anna").await;
        try_from(stage, ELSEWHERE, "anna", PASSWORD)
            .await
            .expect("a right password forgives the wrong ones before it");
    }
);

on_both!(guesses_made_side_by_side_are_counted_one_by_one, async |stage: &mut Stage| {
    add(stage.app(), anna(), &Actor::Command).await.expect("added");
    let guesses = (0..16).map(|_| try_from(stage, HOME, "anna", "another password"));
    let told = futures_util::future::join_all(guesses).await;
    let heard = told.iter().filter(|told| matches!(told, Err(LoginError::Wrong))).count();
    let free = usize::try_from(FREE_FAILURES).expect("a few");
    assert!((free..=free + 1).contains(&heard), "{heard}: two passwords are checked at one time");
});

on_both!(
    an_address_that_fails_under_many_names_is_not_heard_for_a_while,
    [("limits.failed_authentications", "20/10m")],
    async |stage: &mut Stage| {
        add(stage.app(), anna(), &Actor::Command).await.expect("added");
        for place in 0..20 {
            try_from(stage, HOME, "anna", PASSWORD).await.expect("who comes in is not counted");
            wrong(stage, &format!("name{place}")).await;
        }
        let told = try_from(stage, HOME, "anna", PASSWORD).await;
        let Err(LoginError::TooMany(wait)) = told else { panic!("{told:?}") };
        assert_eq!(wait, Duration::from_secs(30));
        try_from(stage, ELSEWHERE, "anna", PASSWORD).await.expect("others are heard");
        stage.advance(wait);
        try_from(stage, HOME, "anna", PASSWORD).await.expect("it is heard again");
    }
);

on_both!(failed_logins_are_forgotten_after_a_day, async |stage: &mut Stage| {
    let count = async |stage: &Stage| {
        login_failure::Entity::find().count(&stage.app().store.read).await.expect("read")
    };
    wrong(stage, "nobody").await;
    stage.advance(FORGOTTEN_AFTER.saturating_sub(Duration::from_millis(1)));
    sweep(stage.app()).await.expect("swept");
    assert_eq!(count(stage).await, 1);
    stage.advance(Duration::from_millis(1));
    sweep(stage.app()).await.expect("swept");
    assert_eq!(count(stage).await, 0);
});

on_both!(
    a_new_password_and_being_disabled_end_what_an_operator_is_logged_in_to,
    async |stage: &mut Stage| {
        let anna = add(stage.app(), anna(), &Actor::Command).await.expect("added");
        let token = |stage: &Stage| {
            let grant = Grant {
                audience: Audience::Operators,
                credential: anna.id.clone(),
                scope: anna.scope(),
                role: Some("admin".to_owned()),
                auth_time: None,
            };
            let app = stage.app();
            app.tokens.make(grant, &app.chance, app.clock.now_ms()).expect("made").0
        };
        let check = |stage: &Stage, token: &str| {
            stage.app().tokens.check(token, Audience::Operators, stage.app().clock.now_ms()).map(drop)
        };
        let before = token(stage);
        assert_eq!(check(stage, &before), Ok(()));
        for _ in 0..FREE_FAILURES {
            wrong(stage, "anna").await;
        }
        set_password(stage.app(), "anna", "battery horse correct".to_owned(), &Actor::Command)
            .await
            .expect("changed");
        assert_eq!(check(stage, &before), Err(TokenError::Revoked));
        stage.advance(Duration::from_millis(1));
        assert!(matches!(try_from(stage, ELSEWHERE, "anna", PASSWORD).await, Err(LoginError::Wrong)));
        try_from(stage, ELSEWHERE, "anna", "battery horse correct").await.expect("the lock is lifted");
        let after = token(stage);
        assert_eq!(check(stage, &after), Ok(()));

        disable(stage.app(), "anna", None, &Actor::Command).await.expect("disabled");
        assert_eq!(check(stage, &after), Err(TokenError::Revoked));
        assert_eq!(find(stage.app(), &anna.id).await.expect("read"), None);
        stage.restart().await;
        assert_eq!(check(stage, &after), Err(TokenError::Revoked), "after a restart, too");
    }
);
