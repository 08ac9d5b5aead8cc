//! Who is believed to be AWS.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use runtime::connectors::{AMAZON_ROOTS, aws_connector, is_certified_by_amazon};

/// SHA-256 of the certificates. Source: Amazon Trust Services, "Repository".
const FINGERPRINTS: [&str; 5] = [
    "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
    "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
    "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
    "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
    "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5",
];

#[test]
fn the_roots_are_those_that_amazon_publishes_and_no_others() {
    let text = std::str::from_utf8(AMAZON_ROOTS).unwrap();
    let certificates = text.split("-----BEGIN CERTIFICATE-----").skip(1);
    let found: Vec<String> = certificates
        .map(|rest| {
            let (body, _) = rest.split_once("-----END CERTIFICATE-----").unwrap();
            let body: String = body.split_whitespace().collect();
            let mut hex = String::new();
            for byte in digest(&SHA256, &STANDARD.decode(body).unwrap()).as_ref() {
                write!(hex, "{byte:02x}").unwrap();
            }
            hex
        })
        .collect();
    assert_eq!(found, FINGERPRINTS);
}

#[test]
fn regions_outside_of_the_ordinary_partition_are_known_by_the_systems_roots() {
    for region in ["eu-central-1", "ap-east-1", "us-east-1", "eu-south-2"] {
        assert!(is_certified_by_amazon(region), "{region}");
        assert!(aws_connector(region).is_ok(), "{region}");
    }
    for region in ["cn-north-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1", "eusc-de-1"] {
        assert!(!is_certified_by_amazon(region), "{region}");
        assert!(aws_connector(region).is_ok(), "{region}");
    }
}
