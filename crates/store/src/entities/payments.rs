//! The tables of payment.

/// An order to be paid.
pub(crate) mod orders {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "orders")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Vec<u8>,
        pub app_key: Vec<u8>,
        pub appid: Vec<u8>,
        pub mch_id: Vec<u8>,
        pub out_trade_no: Vec<u8>,
        /// One of the `VERSION_` numbers of `payments.rs`.
        pub version: i32,
        pub trade_type: Vec<u8>,
        pub total_fee: i64,
        pub openid: Vec<u8>,
        pub transaction_id: Vec<u8>,
        /// One of the `STATE_` numbers of `orders.rs`.
        pub state: i32,
        pub content: Vec<u8>,
        pub request: Vec<u8>,
        pub answer: Option<Vec<u8>>,
        pub answered_at: Option<i64>,
        pub created_at: i64,
        pub updated_at: i64,
        pub paid_at: Option<i64>,
        /// `None` when it is decided.
        pub due_at: Option<i64>,
        pub step: i32,
        /// Who asks about it.
        pub node: Option<Vec<u8>>,
        pub revision: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// Something that happened to an order.
pub(crate) mod order_events {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "order_events")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub order_id: Vec<u8>,
        #[sea_orm(primary_key, auto_increment = false)]
        pub at: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Vec<u8>,
        pub kind: Vec<u8>,
        pub detail: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// Money that goes back.
pub(crate) mod refunds {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "refunds")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Vec<u8>,
        /// All zero when it is unknown.
        pub order_id: Vec<u8>,
        pub app_key: Vec<u8>,
        pub appid: Vec<u8>,
        pub mch_id: Vec<u8>,
        pub out_trade_no: Vec<u8>,
        pub transaction_id: Vec<u8>,
        pub out_refund_no: Vec<u8>,
        pub refund_id: Vec<u8>,
        pub total_fee: i64,
        pub refund_fee: i64,
        /// One of the `VERSION_` numbers of `payments.rs`.
        pub version: i32,
        /// One of the `STATE_` numbers of `refunds.rs`.
        pub state: i32,
        pub content: Vec<u8>,
        pub request: Vec<u8>,
        pub answer: Option<Vec<u8>>,
        pub created_at: i64,
        pub updated_at: i64,
        /// `None` when it is decided.
        pub due_at: Option<i64>,
        pub step: i32,
        /// Who asks about it.
        pub node: Option<Vec<u8>>,
        pub revision: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// A notification that was not believed.
pub(crate) mod refused_notices {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "refused_notices")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Vec<u8>,
        pub app_key: Vec<u8>,
        pub order_id: Option<Vec<u8>>,
        pub at: i64,
        pub reason: Vec<u8>,
        pub detail: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// A certificate with which WeChat Pay signs for a merchant.
pub(crate) mod platform_certificates {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "platform_certificates")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub mch_id: Vec<u8>,
        #[sea_orm(primary_key, auto_increment = false)]
        pub serial: Vec<u8>,
        pub not_before: i64,
        pub not_after: i64,
        /// Public: not sealed.
        pub pem: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}
