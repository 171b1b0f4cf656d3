//! Looking at what stands, and making it what was planned.

use std::collections::BTreeSet;

use carillon_shared::client::{Client, ClientError};
use carillon_shared::name::CronName;
use carillon_shared::store::{Store, StoreError, StoredEntry};

use super::directory::Declaration;
use super::mistake::Mistakes;
use super::plan::{Action, Plan};

/// What stands in the store of that which a declaration is about.
#[derive(Debug)]
pub(crate) struct Survey(Vec<StoredEntry>);

/// Looks at the entries of the names that are declared, and at those that files declared before.
pub(crate) async fn survey(store: &Store, declaration: &Declaration) -> Result<Survey, StoreError> {
    let mut names: BTreeSet<CronName> = declaration.entries.keys().cloned().collect();
    names.extend(store.declared_names().await?);
    let names: Vec<CronName> = names.into_iter().collect();
    Ok(Survey(store.entries_named(&names).await?))
}

impl Survey {
    /// What is to be done, or why nothing can be.
    pub(crate) fn plan(&self, store: &Store, declaration: &Declaration) -> Result<Plan, Mistakes> {
        Plan::make(declaration, &self.0, |queue| store.keys().partition_of(queue))
    }
}

/// Does what was planned. What fails half-way leaves too much
/// rather than too little, and is completed by the next.
pub(crate) async fn carry_out(client: &Client, declaration: &Declaration, plan: &Plan) -> Result<(), ClientError> {
    for step in plan.0.iter().filter(|step| matches!(step.action, Action::Add | Action::Change(_))) {
        if let Some(declared) = declaration.entries.get(&step.name) {
            client.declare(&declared.definition, &declared.source).await?;
        }
    }
    for step in plan.0.iter().filter(|step| step.action == Action::Remove) {
        client.withdraw(&step.name, &declaration.owner).await?;
    }
    Ok(())
}
