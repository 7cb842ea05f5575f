//! The tables as SeaORM sees them; rows become the crate's own types in the files named after them.
//!
//! Names and ids are stored as their UTF-8 bytes in binary columns. So they compare and sort byte by byte on every
//! database; text columns would follow collations there, for which `Test` and `test `, or `é` and `e`, may be the same. JSON is stored as bytes too: PostgreSQL's JSON types refuse
//! `\u0000`, and MySQL's text takes only what a server's default character set knows.
#![expect(unreachable_pub, reason = "the derive of an entity makes public what stands beside it")]

pub(crate) mod api_usage;
mod payments;

pub(crate) use payments::{order_events, orders, platform_certificates, refunds, refused_notices};

/// A registration.
pub(crate) mod apps {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "apps")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub key: Vec<u8>,
        pub appid: Vec<u8>,
        /// [`crate::Settings`] as JSON.
        pub settings: Vec<u8>,
        /// [`crate::Secrets`] as JSON, sealed.
        pub secrets: Vec<u8>,
        pub secret_checked_at: Option<i64>,
        pub expires_at: Option<i64>,
        pub created_at: i64,
        pub updated_at: i64,
        pub revision: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// A token or ticket.
pub(crate) mod credentials {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "credentials")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Vec<u8>,
        pub appid: Vec<u8>,
        /// Sealed.
        pub value: Option<Vec<u8>>,
        /// Of the value: `credentials/fingerprint.rs`.
        pub fingerprint: Option<Vec<u8>>,
        pub issued_at: Option<i64>,
        pub expires_at: Option<i64>,
        pub refresh_at: i64,
        pub forced_at: Option<i64>,
        pub used_at: i64,
        pub version: i64,
        /// [`crate::Failure`] as JSON.
        pub failure: Option<Vec<u8>>,
        pub lease_owner: Option<Vec<u8>>,
        pub lease_until: Option<i64>,
        /// When somebody should take it: `refresh_at`, or the end of the lease while one is held. One indexed column
        /// answers both "what is due?" and "when is the next one due?".
        pub due_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// What changed, for the other processes on this database.
pub(crate) mod changes {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "changes")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        /// One of the `KIND_` numbers of `changes.rs`.
        pub kind: i32,
        pub subject: Vec<u8>,
        pub changed_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// A master key that has sealed something here.
pub(crate) mod master_keys {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "master_keys")]
    pub struct Model {
        /// 1, 2, 3 …: two nodes that add a key at the same time collide here.
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i32,
        pub key_id: Vec<u8>,
        /// A fixed text, sealed with the key: proves that a key of this id is the same key.
        pub proof: Vec<u8>,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// A value that belongs to the whole server.
pub(crate) mod server_settings {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "server_settings")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: Vec<u8>,
        pub value: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// A callback of WeChat, written once.
pub(crate) mod messages {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "messages")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Vec<u8>,
        pub app_key: Vec<u8>,
        pub appid: Vec<u8>,
        pub received_at: i64,
        /// The node that forwards it.
        pub node: Vec<u8>,
        pub msg_type: Vec<u8>,
        pub event: Vec<u8>,
        pub openid: Vec<u8>,
        pub request: Vec<u8>,
        pub body: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// What a message was answered.
pub(crate) mod answers {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "answers")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub message_id: Vec<u8>,
        pub decided_at: i64,
        /// `None`: `success`.
        pub reply: Option<Vec<u8>>,
        pub reply_from: Option<i32>,
        /// One of the `TO_` numbers of `messages.rs`.
        pub given_to: Option<i32>,
        pub finished_at: Option<i64>,
        pub attempts: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// A message that a backend still has to get, or did not get.
pub(crate) mod deliveries {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "deliveries")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub message_id: Vec<u8>,
        #[sea_orm(primary_key, auto_increment = false)]
        pub position: i32,
        pub backend: Vec<u8>,
        pub received_at: i64,
        /// One of the `STATE_` numbers of `deliveries.rs`.
        pub state: i32,
        /// `None` when it is over.
        pub due_at: Option<i64>,
        pub step: i32,
        pub sent: i32,
        pub unreachable: bool,
        pub node: Option<Vec<u8>>,
        pub attempts: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// A reply that came when WeChat no longer waited.
pub(crate) mod late_replies {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "late_replies")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub message_id: Vec<u8>,
        #[sea_orm(primary_key, auto_increment = false)]
        pub reply_from: i32,
        pub created_at: i64,
        /// One of the `STATE_` numbers of `late_replies.rs`.
        pub state: i32,
        pub due_at: Option<i64>,
        pub tries: i32,
        pub sent: i32,
        pub node: Option<Vec<u8>>,
        pub pieces: Vec<u8>,
        pub outcome: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// A running process.
pub(crate) mod nodes {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "nodes")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Vec<u8>,
        pub alive_until: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// A login's way to WeChat and back that has been used.
pub(crate) mod spent_round_trips {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "spent_round_trips")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Vec<u8>,
        pub ends_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// A visitor whom a backend will ask about, once.
pub(crate) mod login_tickets {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "login_tickets")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Vec<u8>,
        pub app_key: Vec<u8>,
        pub ends_at: i64,
        /// Sealed.
        pub visitor: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// A file that proves to WeChat whose a domain is.
pub(crate) mod verify_files {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "verify_files")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: Vec<u8>,
        #[sea_orm(primary_key, auto_increment = false)]
        pub app_key: Vec<u8>,
        pub content: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}
