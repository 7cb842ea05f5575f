//! The tables as SeaORM sees them; rows become the crate's own types in the files named after them.
//!
//! Names and ids are stored as their UTF-8 bytes in binary columns. So they compare and sort byte by byte on every
//! database; text columns would follow collations there, for which `Test` and `test `, or `é` and `e`, may be the same. JSON is stored as bytes too: PostgreSQL's JSON types refuse
//! `\u0000`, and MySQL's text takes only what a server's default character set knows.
#![expect(unreachable_pub, reason = "the derive of an entity makes public what stands beside it")]

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
