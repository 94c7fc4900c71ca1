//! The suite for what organisations hand over to be used at clouds.

use futures::future::join_all;
use vault::{
    custody::{CloudName, SealedSecret},
    id::OrgId,
    record_tag::KekId,
    settings::{
        AzureAccount, AzureAuth, CryptoKeyName, GcpAccount, GcpAuth, Guid, ProtectionLevel, ServiceAccount,
        SettingsRecord, VaultKeyName, VaultUrl, WorkloadIdentityProvider,
    },
    store::{Clearing, Saving, Store},
};

use crate::{
    store::{ALL, make_org, record},
    store_clouds,
};

pub(crate) async fn all(store: &dyn Store) {
    a_secret_stays_until_another_comes_or_its_account_goes(store).await;
    a_secret_that_was_not_saved_is_not_there(store).await;
    secrets_are_walked_once_each_and_moved_only_as_they_were_read(store).await;
    of_two_savings_one_leaves_its_settings_and_its_secret(store).await;
    each_cloud_s_secret_goes_with_its_account_alone(store).await;
}

async fn a_secret_stays_until_another_comes_or_its_account_goes(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let secret = async || store.provider_secret(&org, CloudName::Azure).await.unwrap();
    assert_eq!(secret().await, None);
    let first = settings(store, &org, AzureAuth::ClientSecret).await;
    put(store, &first, &[handed_over(1)], None).await;
    assert_eq!(secret().await, Some(sealed(1)));
    assert_eq!(store.settings(&org).await.unwrap(), Some(first.clone()));
    let stranger = make_org(store).await.org.id;
    assert_eq!(store.provider_secret(&stranger, CloudName::Azure).await.unwrap(), None);
    assert_eq!(store.provider_secret(&org, CloudName::Aws).await.unwrap(), None);

    let same = next(&first);
    put(store, &same, &[], Some(&first)).await;
    assert_eq!(secret().await, Some(sealed(1)), "it stays");
    let other = next(&same);
    put(store, &other, &[handed_over(2)], Some(&same)).await;
    assert_eq!(secret().await, Some(sealed(2)), "another takes its place");

    // With federation none is kept, and without the account neither.
    let mut federated = next(&other);
    federated.azure.as_mut().unwrap().auth = AzureAuth::Federated;
    put(store, &federated, &[], Some(&other)).await;
    assert_eq!(secret().await, None);
    let mut again = next(&federated);
    again.azure.as_mut().unwrap().auth = AzureAuth::ClientSecret;
    put(store, &again, &[handed_over(3)], Some(&federated)).await;
    let without = SettingsRecord { azure: None, ..next(&again) };
    put(store, &without, &[], Some(&again)).await;
    assert_eq!(secret().await, None);

    let back = SettingsRecord { azure: again.azure.clone(), ..next(&without) };
    put(store, &back, &[handed_over(4)], Some(&without)).await;
    assert_eq!(store.clear_settings(&org, record(&org, 1)).await.unwrap(), Clearing::Done);
    assert_eq!(secret().await, None);
}

async fn a_secret_that_was_not_saved_is_not_there(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let first = settings(store, &org, AzureAuth::ClientSecret).await;
    put(store, &first, &[handed_over(1)], None).await;
    let second = next(&first);
    for wrong in [None, Some(second.updated_at)] {
        let saving = store.put_settings(&second, &[handed_over(2)], wrong, record(&org, 1)).await.unwrap();
        assert_eq!(saving, Saving::Changed);
    }
    assert_eq!(store.provider_secret(&org, CloudName::Azure).await.unwrap(), Some(sealed(1)));
}

async fn secrets_are_walked_once_each_and_moved_only_as_they_were_read(store: &dyn Store) {
    let mut orgs = Vec::new();
    for i in 0..5 {
        let org = make_org(store).await.org.id;
        put(store, &settings(store, &org, AzureAuth::ClientSecret).await, &[handed_over(10 + i)], None).await;
        orgs.push(org);
    }
    let whole = store.secrets(None, ALL).await.unwrap();
    let mut walked = Vec::new();
    let mut after: Option<(OrgId, CloudName)> = None;
    loop {
        let cursor = after.as_ref().map(|(org, cloud)| (org, *cloud));
        let page = store.secrets(cursor, 2).await.unwrap();
        let Some((org, cloud, _)) = page.last() else { break };
        after = Some((org.clone(), *cloud));
        walked.extend(page);
    }
    assert_eq!(walked, whole);
    assert!(whole.is_sorted_by_key(|(org, ..)| org.as_str().to_owned()));
    assert_eq!(whole.iter().filter(|(org, ..)| orgs.contains(org)).count(), orgs.len());

    let org = &orgs[0];
    let before = in_use(store, KekId([10; 8])).await;
    let reseal =
        async |from, to| store.reseal(org, CloudName::Azure, &sealed(from), &sealed(to)).await.unwrap();
    assert!(!reseal(11, 20).await, "it was not as read");
    assert!(reseal(10, 20).await);
    assert!(!reseal(10, 21).await, "it was moved already");
    assert_eq!(store.provider_secret(org, CloudName::Azure).await.unwrap(), Some(sealed(20)));
    assert_eq!((before, in_use(store, KekId([10; 8])).await), (1, 0));
    assert_eq!(in_use(store, KekId([20; 8])).await, 1, "as a key that is needed it is counted");
    assert_eq!(store.clear_settings(org, record(org, 1)).await.unwrap(), Clearing::Done);
    assert!(!reseal(20, 10).await, "it does not come back");
    assert_eq!(store.provider_secret(org, CloudName::Azure).await.unwrap(), None);
}

async fn of_two_savings_one_leaves_its_settings_and_its_secret(store: &dyn Store) {
    for _ in 0..10 {
        let org = make_org(store).await.org.id;
        let first = settings(store, &org, AzureAuth::ClientSecret).await;
        put(store, &first, &[handed_over(1)], None).await;
        let rivals: Vec<_> = (2_u8..6)
            .map(|i| {
                let mut rival = next(&first);
                rival.azure.as_mut().unwrap().kek = VaultKeyName::parse(&format!("kek-{i}")).unwrap();
                (rival, [handed_over(i)])
            })
            .collect();
        let savings = join_all(rivals.iter().map(|(rival, secrets)| {
            store.put_settings(rival, secrets, Some(first.updated_at), record(&org, 1))
        }));
        let won: Vec<bool> =
            savings.await.into_iter().map(|saving| matches!(saving, Ok(Saving::Done))).collect();
        assert_eq!(won.iter().filter(|won| **won).count(), 1);
        let (winner, secrets) = &rivals[won.iter().position(|won| *won).unwrap()];
        assert_eq!(store.settings(&org).await.unwrap().as_ref(), Some(winner));
        assert_eq!(store.provider_secret(&org, CloudName::Azure).await.unwrap(), Some(secrets[0].1.clone()));
    }
}

async fn each_cloud_s_secret_goes_with_its_account_alone(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let secrets = async || {
        let azure = store.provider_secret(&org, CloudName::Azure).await.unwrap();
        (azure, store.provider_secret(&org, CloudName::Gcp).await.unwrap())
    };
    let first =
        SettingsRecord { gcp: Some(google()), ..settings(store, &org, AzureAuth::ClientSecret).await };
    put(store, &first, &[handed_over(1), (CloudName::Gcp, sealed(2))], None).await;
    assert_eq!(store.settings(&org).await.unwrap(), Some(first.clone()));
    assert_eq!(secrets().await, (Some(sealed(1)), Some(sealed(2))));

    let another = next(&first);
    put(store, &another, &[(CloudName::Gcp, sealed(3))], Some(&first)).await;
    assert_eq!(secrets().await, (Some(sealed(1)), Some(sealed(3))));
    let without_azure = SettingsRecord { azure: None, ..next(&another) };
    put(store, &without_azure, &[], Some(&another)).await;
    assert_eq!(secrets().await, (None, Some(sealed(3))));

    let mut federated = next(&without_azure);
    let provider = "projects/1/locations/global/workloadIdentityPools/pool/providers/postq";
    let provider = WorkloadIdentityProvider::parse(provider).unwrap();
    for account in [None, google().service_account().cloned()] {
        federated.gcp.as_mut().unwrap().auth = GcpAuth::Federated { provider: provider.clone(), account };
        let replaced = store.settings(&org).await.unwrap();
        federated.updated_at = replaced.as_ref().unwrap().updated_at.next();
        put(store, &federated, &[], replaced.as_ref()).await;
        assert_eq!(store.settings(&org).await.unwrap().as_ref(), Some(&federated));
        assert_eq!(secrets().await, (None, None));
    }
}

fn google() -> GcpAccount {
    let kek = CryptoKeyName::parse("projects/p/locations/global/keyRings/r/cryptoKeys/kek").unwrap();
    let account = ServiceAccount::parse("postq@p.iam.gserviceaccount.com").unwrap();
    GcpAccount {
        ring: kek.ring(),
        kek,
        protection: ProtectionLevel::Software,
        auth: GcpAuth::ServiceAccountKey { account },
    }
}

async fn put(
    store: &dyn Store,
    settings: &SettingsRecord,
    secrets: &[(CloudName, SealedSecret)],
    replaces: Option<&SettingsRecord>,
) {
    let replaces = replaces.map(|replaced| replaced.updated_at);
    let saving = store.put_settings(settings, secrets, replaces, record(&settings.org, 1)).await.unwrap();
    assert_eq!(saving, Saving::Done);
}

async fn in_use(store: &dyn Store, kek: KekId) -> u64 {
    let in_use = store.kek_use().await.unwrap();
    in_use.into_iter().find(|(id, _)| *id == kek).map_or(0, |(_, rows)| rows)
}

async fn settings(store: &dyn Store, org: &OrgId, auth: AzureAuth) -> SettingsRecord {
    let azure = AzureAccount {
        vault: VaultUrl::parse("https://customer.vault.azure.net").unwrap(),
        kek: VaultKeyName::parse("kek").unwrap(),
        tenant: Guid::parse("11111111-2222-3333-4444-555555555555").unwrap(),
        client: Guid::parse("66666666-7777-8888-9999-000000000000").unwrap(),
        auth,
    };
    SettingsRecord { azure: Some(azure), ..store_clouds::settings(store, org, store_clouds::moment(1)).await }
}

fn next(settings: &SettingsRecord) -> SettingsRecord {
    SettingsRecord { updated_at: settings.updated_at.next(), ..settings.clone() }
}

fn handed_over(kek: u8) -> (CloudName, SealedSecret) {
    (CloudName::Azure, sealed(kek))
}

/// As the vault writes them: a version, the key that encrypted, and what it made.
fn sealed(kek: u8) -> SealedSecret {
    SealedSecret([vec![1], vec![kek; 8], vec![7; 60]].concat())
}
