//! `postq policies`: what the organisation demands of its keys.

use anstream::eprintln;
use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use super::Vault;
use crate::{
    Outcome,
    args::policies::{CreatePolicy, Policies, Rule, UpdatePolicy},
    output::{Output, shown},
};

pub(crate) fn run(command: Policies, vault: &Vault, output: Output) -> anyhow::Result<Outcome> {
    let client = vault.client()?;
    match command {
        Policies::List => {
            let policies = client.page(&POLICIES, &[])?.items;
            rows(&["id", "action", "enabled", "environments", "rule", "name"], policies, output)?;
        }
        Policies::Offered => {
            let mut offered = offered(&client)?;
            for (number, terms) in (1..).zip(&mut offered) {
                terms["number"] = json!(number);
            }
            rows(&["number", "action", "environments", "rule", "name"], offered, output)?;
        }
        Policies::Get { id } => {
            let policy = client.get(&["v1", "policies", &id], &[])?;
            show(&policy, output)?;
        }
        Policies::Create(command) => {
            let body = created(&command)?;
            made(&client.post(&POLICIES, &body)?, output)?;
        }
        Policies::Adopt { number, action } => {
            let mut offered = offered(&client)?;
            if !(1..=offered.len()).contains(&number) {
                bail!(
                    "there is no policy {number} among those that are offered; `postq policies offered` lists them"
                );
            }
            let mut terms = offered.swap_remove(number - 1);
            if let Some(action) = action {
                terms["action"] = json!(action.name());
            }
            made(&client.post(&POLICIES, &terms)?, output)?;
        }
        Policies::Update(command) => {
            let body = updated(&command)?;
            let policy = client.patch(&["v1", "policies", &command.id], &body)?;
            show(&policy, output)?;
        }
        Policies::Delete { id } => {
            let deleted = client.delete(&["v1", "policies", &id])?;
            output.value(&shown(&deleted["deletedAt"]), &deleted)?;
        }
    }
    Ok(Outcome::Done)
}

fn offered(client: &client::Client) -> anyhow::Result<Vec<Value>> {
    let offered = client.get(&["v1", "policies", "offered"], &[])?;
    offered.as_array().cloned().context("what the vault sent is no list")
}

fn made(policy: &Value, output: Output) -> anyhow::Result<()> {
    eprintln!("made the policy `{}`, which binds every call from now on", shown(&policy["name"]));
    output.value(&shown(&policy["id"]), policy)
}

fn show(policy: &Value, output: Output) -> anyhow::Result<()> {
    let facts: Vec<(&str, String)> =
        ["id", "name", "description", "action", "enabled", "environments", "rule", "createdAt", "updatedAt"]
            .into_iter()
            .map(|name| (name, short(name, &policy[name])))
            .collect();
    output.facts(&facts, policy)
}

fn rows(header: &[&str], mut policies: Vec<Value>, output: Output) -> anyhow::Result<()> {
    if !output.json {
        for policy in &mut policies {
            for name in ["environments", "rule"] {
                policy[name] = short(name, &policy[name]).into();
            }
        }
    }
    output.rows(header, &policies)
}

/// A member of a policy as a person reads it.
fn short(name: &str, value: &Value) -> String {
    match (name, value) {
        ("environments", Value::Array(names)) if names.is_empty() => "all".to_owned(),
        ("environments", Value::Array(names)) => names.iter().map(shown).collect::<Vec<_>>().join(","),
        ("rule", Value::Object(rule)) => {
            let operation = rule.get("matchOperation").map(shown).unwrap_or_default();
            let demands = rule.iter().filter(|(name, _)| *name != "matchOperation");
            let demands = demands.map(|(name, value)| match value {
                Value::Array(items) => {
                    format!("{name}={}", items.iter().map(shown).collect::<Vec<_>>().join(","))
                }
                other => format!("{name}={}", shown(other)),
            });
            std::iter::once(operation).chain(demands).collect::<Vec<_>>().join(" ")
        }
        (_, value) => shown(value),
    }
}

fn created(command: &CreatePolicy) -> anyhow::Result<Value> {
    let rule =
        rule(&command.rule)?.context("name what it is about: --operation sign, verify, key_create or *")?;
    let mut body = json!({
        "name": command.name,
        "action": command.action.name(),
        "enabled": !command.disabled,
        "environments": command.environments,
        "rule": rule,
    });
    if let Some(description) = &command.description {
        body["description"] = json!(description);
    }
    Ok(body)
}

fn updated(command: &UpdatePolicy) -> anyhow::Result<Value> {
    let mut body = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    set("name", command.name.as_ref().map(|name| json!(name)));
    set("description", command.description.as_ref().map(|text| json!(text)));
    set("action", command.action.map(|action| json!(action.name())));
    set("enabled", (command.enable || command.disable).then(|| json!(command.enable)));
    let named = command.all_environments || !command.environments.is_empty();
    set("environments", named.then(|| json!(command.environments)));
    set("rule", rule(&command.rule)?);
    if body.is_empty() {
        bail!("name what is to be different; `postq policies update --help` lists what can be");
    }
    Ok(body.into())
}

/// `None` where none of it was typed.
fn rule(typed: &Rule) -> anyhow::Result<Option<Value>> {
    let mut rule = Map::new();
    let list = |names: &[String]| (!names.is_empty()).then(|| json!(names));
    for (name, value) in [
        ("minTier", typed.min_tier.map(Value::from)),
        ("minPqLevel", typed.min_pq_level.map(Value::from)),
        ("algorithmIn", list(&typed.algorithm_in)),
        ("algorithmNotIn", list(&typed.algorithm_not_in)),
        ("requireHybrid", typed.require_hybrid.then_some(json!(true))),
    ] {
        if let Some(value) = value {
            rule.insert(name.to_owned(), value);
        }
    }
    match &typed.operation {
        Some(operation) => {
            rule.insert("matchOperation".to_owned(), json!(operation));
            Ok(Some(rule.into()))
        }
        None if rule.is_empty() => Ok(None),
        None => bail!("name what the rule is about: --operation sign, verify, key_create or *"),
    }
}

const POLICIES: [&str; 2] = ["v1", "policies"];
