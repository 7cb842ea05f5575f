//! Chapter sixteen: every node knows from its first moment on with what WeChat Pay signs.

use store::{MAX_PAY_NAME_BYTES, PlatformCertificateRow, Store, StoreError};

use crate::engines::{Fresh, NOW};
use crate::messages::later;

fn certificate(serial: &str, until: u64) -> PlatformCertificateRow {
    PlatformCertificateRow { serial: serial.into(), not_before: NOW, not_after: later(until), pem: "-----B".into() }
}

async fn serials(store: &Store, mch_id: &str) -> Vec<String> {
    store.platform_certificates(mch_id).await.unwrap().into_iter().map(|certificate| certificate.serial).collect()
}

pub(crate) async fn certificates_are_kept_until_they_are_over(fresh: &Fresh) {
    let (here, there) = (fresh.open().await, fresh.open().await);
    let long = PlatformCertificateRow { pem: "MII证书".repeat(20_000), ..certificate(&"S".repeat(128), 90) };
    here.keep_platform_certificates("19", &[certificate("A", 50), long.clone()], NOW).await.unwrap();
    here.keep_platform_certificates("20", &[certificate("A", 60)], NOW).await.unwrap();
    assert!(there.platform_certificates("19").await.unwrap() == [long.clone(), certificate("A", 50)]);
    assert_eq!(there.platform_certificates("21").await.unwrap(), []);

    // One comes that is known by its number, one that is new, one twice, one that is over.
    let renewed = PlatformCertificateRow { pem: "new".into(), not_before: later(1), ..certificate("A", 70) };
    let news = [renewed.clone(), certificate("B", 80), certificate("B", 80), certificate("C", 10)];
    there.keep_platform_certificates("19", &news, later(10)).await.unwrap();
    let expected = [long.clone(), certificate("B", 80), renewed.clone()];
    assert!(here.platform_certificates("19").await.unwrap() == expected);
    let all = here.all_platform_certificates().await.unwrap();
    assert!(all[..3].iter().map(|(mch_id, one)| (mch_id.as_str(), one)).eq(expected.iter().map(|one| ("19", one))));
    assert_eq!(all[3..], [("20".to_owned(), certificate("A", 60))], "another merchant's");

    here.keep_platform_certificates("19", &[], later(80)).await.unwrap();
    assert_eq!(serials(&here, "19").await, std::slice::from_ref(&long.serial));
    assert_eq!(serials(&here, "20").await, ["A"], "another merchant's stay until that one is seen to");

    let name = "x".repeat(MAX_PAY_NAME_BYTES + 1);
    for refused in [
        here.keep_platform_certificates(&name, &[], NOW).await,
        here.keep_platform_certificates("19", &[certificate("D", 99), certificate(&name, 99)], NOW).await,
    ] {
        assert!(matches!(refused, Err(StoreError::TooLong { .. })), "{refused:?}");
    }
    assert_eq!(serials(&here, "19").await, [long.serial]);
}

pub(crate) async fn nodes_that_download_at_once_agree(fresh: &Fresh) {
    let nodes = [fresh.open().await, fresh.open().await];
    let keeping: tokio::task::JoinSet<()> = (0..20usize)
        .map(|number| {
            let store = nodes[number % 2].clone();
            let mut both = [certificate("A", 50), certificate("B", 60)];
            if number % 3 == 0 {
                both.reverse();
            }
            async move { store.keep_platform_certificates("19", &both, later(1)).await.unwrap() }
        })
        .collect();
    keeping.join_all().await;
    assert_eq!(serials(&nodes[0], "19").await, ["B", "A"]);
}
