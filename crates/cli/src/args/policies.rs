//! What can be typed after `postq policies`.

use clap::{Args, Subcommand, ValueEnum};

#[derive(Subcommand)]
pub(crate) enum Policies {
    /// List policies, oldest first
    List,
    /// List the policies that are offered; none of them is in force
    Offered,
    /// Show a policy
    Get {
        /// pol_…
        id: String,
    },
    /// Make a policy; prints its id
    Create(CreatePolicy),
    /// Make one of the policies that are offered; prints its id
    Adopt {
        /// Its number in `postq policies offered`
        number: usize,
        /// What happens where it is violated; as it is offered if left out
        #[arg(long, value_enum)]
        action: Option<Action>,
    },
    /// Change a policy; what is left out stays, and a rule is changed as a whole
    Update(UpdatePolicy),
    /// Delete a policy
    Delete {
        /// pol_…
        id: String,
    },
}

#[derive(Args)]
pub(crate) struct CreatePolicy {
    /// 1 to 128 characters
    pub(crate) name: String,
    /// What it is for
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// What happens where it is violated
    #[arg(long, value_enum)]
    pub(crate) action: Action,
    /// Make it without putting it in force
    #[arg(long)]
    pub(crate) disabled: bool,
    /// An environment (a key's metadata `environment`) that it is for, and again for more; all of them if left out
    #[arg(long = "environment", value_name = "NAME")]
    pub(crate) environments: Vec<String>,
    #[command(flatten)]
    pub(crate) rule: Rule,
}

#[derive(Args)]
pub(crate) struct UpdatePolicy {
    /// pol_…
    pub(crate) id: String,
    /// 1 to 128 characters
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// What it is for
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// What happens where it is violated
    #[arg(long, value_enum)]
    pub(crate) action: Option<Action>,
    /// Put it in force
    #[arg(long, conflicts_with = "disable")]
    pub(crate) enable: bool,
    /// Put it out of force
    #[arg(long)]
    pub(crate) disable: bool,
    /// The environments that it is for from now on, one each time
    #[arg(long = "environment", value_name = "NAME", conflicts_with = "all_environments")]
    pub(crate) environments: Vec<String>,
    /// It is for all environments from now on
    #[arg(long)]
    pub(crate) all_environments: bool,
    #[command(flatten)]
    pub(crate) rule: Rule,
}

#[derive(Args)]
pub(crate) struct Rule {
    /// The operation that it is about: sign, verify, key_create, or * for each of them
    #[arg(long, value_name = "OPERATION")]
    pub(crate) operation: Option<String>,
    /// The key's tier is at least this: 1, 2 or 3
    #[arg(long, value_name = "TIER")]
    pub(crate) min_tier: Option<u8>,
    /// The level of its ML-DSA half is at least this: 2 (ML-DSA-44), 3 (ML-DSA-65) or 5 (ML-DSA-87)
    #[arg(long, value_name = "LEVEL")]
    pub(crate) min_pq_level: Option<u8>,
    /// Its algorithm is this, or, given again, one of these
    #[arg(long, value_name = "ALGORITHM")]
    pub(crate) algorithm_in: Vec<String>,
    /// Its algorithm is not this, nor, given again, one of these
    #[arg(long, value_name = "ALGORITHM")]
    pub(crate) algorithm_not_in: Vec<String>,
    /// It has a classical and a post-quantum half
    #[arg(long)]
    pub(crate) require_hybrid: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Action {
    /// The operation is refused
    Enforce,
    /// It is done, and the ledger warns of it
    Warn,
    /// It is done, and the ledger has it
    Audit,
}

impl Action {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Warn => "warn",
            Self::Audit => "audit",
        }
    }
}
