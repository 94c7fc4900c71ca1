//! What can be typed.

pub(crate) mod azure;
pub(crate) mod gcp;
pub(crate) mod policies;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Hybrid signatures: one half post-quantum, one classical, good only together.
#[derive(Parser)]
#[command(name = "postq", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// Where the vault is; else POSTQ_API_ENDPOINT, else what `postq auth login` saved
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Say which vault and token to use, and forget them
    #[command(subcommand)]
    Auth(Auth),
    /// Keys and their lives
    #[command(subcommand)]
    Keys(Keys),
    /// Sign a file of any size; it is hashed here and stays here
    Sign(Sign),
    /// Verify a signature; offline with a public key or a receipt
    Verify(Verify),
    /// The audit ledger
    #[command(subcommand)]
    Ledger(Ledger),
    /// Evidence for signatures, checked offline
    #[command(subcommand)]
    Receipt(Receipt),
    /// Keys that you pin: what makes evidence trustworthy
    #[command(subcommand)]
    Trust(Trust),
    /// What the organisation demands of its keys
    #[command(subcommand)]
    Policies(policies::Policies),
    /// API tokens
    #[command(subcommand)]
    Tokens(Tokens),
    /// The organisation's vault
    #[command(subcommand)]
    Vault(Vault),
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

#[derive(Subcommand)]
pub(crate) enum Auth {
    /// Save an endpoint and a token, which is read from the terminal or from standard input
    Login,
    /// Say whose token this is and what it may do
    Status,
    /// Forget what `login` saved
    Logout,
}

#[derive(Subcommand)]
pub(crate) enum Keys {
    /// Make a key; prints its id
    Create(CreateKey),
    /// List keys, newest first
    List(ListKeys),
    /// Show a key
    Get {
        /// key_…
        id: String,
        /// Print its public key: the JSON string that verifiers take
        #[arg(long, conflicts_with = "pem")]
        public_key: bool,
        /// Print its public key as PEM
        #[arg(long)]
        pem: bool,
    },
    /// Have a new key follow this one; prints the new key's id
    Rotate(RotateKey),
    /// Revoke a key for ever
    Revoke {
        /// key_…
        id: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Show the line that a key stands in, every link of it verified here
    Lineage {
        /// key_…
        id: String,
        /// Write the lineage, for verifying it elsewhere
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        trust: TrustFile,
    },
    /// Show what the ledger has of a key, newest first
    Audit {
        /// key_…
        id: String,
        #[command(flatten)]
        limit: Limit,
    },
}

#[derive(Args)]
pub(crate) struct CreateKey {
    /// 1 to 128 characters
    pub(crate) name: String,
    /// mldsa44, mldsa65 or mldsa87, with +ed25519 or +ecdsa-p256
    #[arg(long)]
    pub(crate) algorithm: Option<String>,
    #[command(flatten)]
    pub(crate) providers: Providers,
    /// A member of the key's metadata, and again for more
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) metadata: Vec<String>,
    /// Let callers that ask for it sign with whatever key follows this one
    #[arg(long)]
    pub(crate) allow_follow: bool,
    /// Have the vault rotate it by itself after so many days; takes --allow-follow
    #[arg(long, value_name = "DAYS", requires = "allow_follow")]
    pub(crate) rotate_after_days: Option<u16>,
}

#[derive(Args)]
pub(crate) struct RotateKey {
    /// key_…
    pub(crate) id: String,
    /// The new key's name; the old one's if left out
    #[arg(long)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) providers: Providers,
}

#[derive(Args)]
pub(crate) struct Providers {
    /// Who wraps the data key: env, aws-kms, azure-kv or gcp-kms, as far as the vault has them; left out, what the settings say
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) kek_provider: Option<String>,
    /// Who holds the classical half: postq-managed, aws-kms, azure-kv or gcp-kms
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) key_provider: Option<String>,
    /// Who holds the ML-DSA half: postq-managed, aws-kms or gcp-kms
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) pq_provider: Option<String>,
}

#[derive(Args)]
pub(crate) struct ListKeys {
    /// active, superseded or revoked
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Of this algorithm
    #[arg(long)]
    pub(crate) algorithm: Option<String>,
    /// Whose names begin so
    #[arg(long)]
    pub(crate) name_prefix: Option<String>,
    /// Revoked ones too
    #[arg(long)]
    pub(crate) include_revoked: bool,
    #[command(flatten)]
    pub(crate) limit: Limit,
}

#[derive(Args)]
pub(crate) struct Limit {
    /// At most so many; all of them if left out
    #[arg(long, value_name = "NUMBER")]
    pub(crate) limit: Option<usize>,
}

#[derive(Args)]
pub(crate) struct Sign {
    /// key_…
    #[arg(long, value_name = "ID")]
    pub(crate) key: String,
    /// What to sign; `-` is standard input
    #[arg(long = "in", value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Where the signature goes; standard output if left out
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) context: SignedContext,
    /// The key's algorithm, for a token that may sign but not read keys
    #[arg(long)]
    pub(crate) algorithm: Option<String>,
    /// Sign with whatever key follows this one, if it was made with --allow-follow
    #[arg(long)]
    pub(crate) follow_successor: bool,
    /// Wait for the ledger's evidence as well, and write a receipt
    #[arg(long, value_name = "FILE")]
    pub(crate) receipt: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct SignedContext {
    /// The context, as text
    #[arg(long, conflicts_with = "context_base64")]
    pub(crate) context: Option<String>,
    /// The context, in base64
    #[arg(long, value_name = "BASE64")]
    pub(crate) context_base64: Option<String>,
}

#[derive(Args)]
pub(crate) struct Verify {
    /// What was signed; `-` is standard input
    #[arg(long = "in", value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// The signature: base64, or the bytes themselves
    #[arg(long, value_name = "FILE", required_unless_present = "receipt")]
    pub(crate) sig: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) against: Against,
    #[command(flatten)]
    pub(crate) context: SignedContext,
    /// How the signature is encoded
    #[arg(long, value_enum, default_value_t = Encoding::Postq)]
    pub(crate) encoding: Encoding,
    /// With --key: the key's algorithm, for a token that may verify but not read keys
    #[arg(long)]
    pub(crate) algorithm: Option<String>,
    #[command(flatten)]
    pub(crate) evidence: Evidence,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Against {
    /// Ask the vault, by a key's id
    #[arg(long, value_name = "ID")]
    pub(crate) key: Option<String>,
    /// Verify here, by a public key: its JSON, or @FILE
    #[arg(long, value_name = "JSON|@FILE")]
    pub(crate) public_key: Option<String>,
    /// Verify here, by a receipt and what you pinned
    #[arg(long, value_name = "FILE")]
    pub(crate) receipt: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Encoding {
    /// Of fixed length
    Postq,
    /// The IETF draft's, with ECDSA in DER
    Lamps,
}

#[derive(Args)]
pub(crate) struct Evidence {
    #[command(flatten)]
    pub(crate) trust: TrustFile,
    /// That the receipt's ledger continues a checkpoint that you pinned: what `postq ledger consistency` wrote
    #[arg(long, value_name = "FILE")]
    pub(crate) consistency: Option<PathBuf>,
    /// Take a signature of a revoked key although the ledger does not have it from before the revocation
    #[arg(long)]
    pub(crate) accept_unlogged: bool,
}

#[derive(Args)]
pub(crate) struct TrustFile {
    /// Pins; those of `postq trust` if left out
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum Ledger {
    /// List entries, oldest first unless told otherwise
    Entries {
        /// Newest first
        #[arg(long)]
        newest: bool,
        /// From this place on
        #[arg(long)]
        since: Option<u64>,
        /// Of this type
        #[arg(long)]
        event_type: Option<String>,
        /// About this key or token
        #[arg(long)]
        subject: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Sign a checkpoint over everything so far
    Seal,
    /// Prove that an event is in the ledger
    Proof {
        /// evt_…
        event: String,
    },
    /// Prove that the ledger only grew between two sizes: what --consistency of `postq receipt verify` reads
    Consistency {
        /// The size of the smaller tree: a pinned checkpoint's, or a receipt's
        #[arg(long, value_name = "ENTRIES")]
        from: u64,
        /// The size of the larger tree
        #[arg(long, value_name = "ENTRIES")]
        to: u64,
    },
    /// Write all that a verifier needs, page by page, one JSON document a line
    Bundle {
        /// Where to; standard output if left out
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// From this place on
        #[arg(long, default_value_t = 0)]
        since: u64,
    },
    /// Verify the ledger: a bundle's file, or the vault's as it is now
    Verify {
        /// What `postq ledger bundle` or the API wrote; `-` is standard input; the vault is asked if left out
        file: Option<PathBuf>,
        /// Take a part of the ledger for good: some pages of a bundle, from a later place on
        #[arg(long)]
        partial: bool,
        /// Keep the newest checkpoint as a pin, if the ledger is pinned and all of it holds
        #[arg(long)]
        remember: bool,
        #[command(flatten)]
        trust: TrustFile,
    },
}

#[derive(Subcommand)]
pub(crate) enum Receipt {
    /// Fetch the evidence for a signature, put the signature in, and check it
    Get {
        /// evt_…
        event: String,
        /// The signature: base64, or the bytes themselves
        #[arg(long, value_name = "FILE")]
        sig: PathBuf,
        /// Where the receipt goes; standard output if left out
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Verify a receipt offline
    Verify {
        /// The receipt
        file: PathBuf,
        /// What was signed; without it the signature is checked over the digest that the ledger has
        #[arg(long = "in", value_name = "FILE")]
        input: Option<PathBuf>,
        /// The signature, where the receipt has none
        #[arg(long, value_name = "FILE")]
        sig: Option<PathBuf>,
        #[command(flatten)]
        evidence: Evidence,
    },
}

#[derive(Subcommand)]
pub(crate) enum Trust {
    /// Pin a key
    #[command(subcommand)]
    Add(TrustAdd),
    /// List what is pinned
    List,
    /// Pin a key no more
    Remove {
        /// The fingerprint, 64 characters of hex
        fingerprint: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum TrustAdd {
    /// Pin a signer: any key of its line, no later than the one that signed
    Signer {
        /// The fingerprint, 64 characters of hex
        fingerprint: String,
    },
    /// Pin an organisation's ledger key, and better still a checkpoint that you saw
    Ledger {
        /// org_…
        org: String,
        /// The fingerprint, 64 characters of hex
        fingerprint: String,
        /// A checkpoint's size and root
        #[arg(long, value_name = "SIZE:ROOT")]
        checkpoint: Option<String>,
    },
}

#[derive(Subcommand)]
pub(crate) enum Tokens {
    /// Make a token; prints it, this one time
    Create {
        /// 1 to 128 characters
        name: String,
        /// What it may do, and again for more
        #[arg(long = "scope", required = true)]
        scopes: Vec<String>,
        /// Only with this key's line, and again for more
        #[arg(long = "key", value_name = "ID")]
        keys: Vec<String>,
    },
    /// List tokens
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// End a token at once
    Revoke {
        /// apk_…
        id: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum Vault {
    /// Which accounts of your own the vault uses
    #[command(subcommand)]
    Settings(Settings),
}

#[derive(Subcommand)]
pub(crate) enum Settings {
    /// Show them
    Show,
    /// Try settings out and save them; what is left out is not set any more
    Put(Accounts),
    /// Take them away, unless keys rest on them
    Clear,
    /// Try settings out and save nothing; without options, those that are saved. Exits with 2 where an account does not work
    Test(Accounts),
}

#[derive(Args)]
pub(crate) struct Accounts {
    /// Who wraps the data keys of keys that do not say: env, aws-kms, azure-kv or gcp-kms
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) default_kek_provider: Option<String>,
    /// For how many seconds halves may stay opened whose data key a cloud wraps, 0 to 300; 0 if left out: every signature asks it
    #[arg(long, value_name = "SECONDS")]
    pub(crate) dek_cache_ttl_seconds: Option<u16>,
    /// The symmetric key of AWS KMS that wraps data keys, arn:aws:kms:REGION:ACCOUNT:key/ID
    #[arg(long, value_name = "ARN")]
    pub(crate) aws_key_arn: Option<String>,
    /// The role by which its account is entered; its trust policy must demand the external id that `postq auth status` shows
    #[arg(long, value_name = "ARN", requires = "aws_key_arn")]
    pub(crate) aws_role_arn: Option<String>,
    #[command(flatten)]
    pub(crate) azure: azure::Account,
    #[command(flatten)]
    pub(crate) gcp: gcp::Account,
}

impl Accounts {
    pub(crate) const fn is_empty(&self) -> bool {
        let Self { default_kek_provider, dek_cache_ttl_seconds, aws_key_arn, aws_role_arn, azure, gcp } =
            self;
        default_kek_provider.is_none()
            && dek_cache_ttl_seconds.is_none()
            && aws_key_arn.is_none()
            && aws_role_arn.is_none()
            && azure.vault_url.is_none()
            && gcp.kek_key_name.is_none()
    }
}
