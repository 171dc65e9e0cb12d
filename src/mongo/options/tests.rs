//! Options from the URI and from JavaScript, as the crate understands them.

use super::Settings;
use crate::error::{ErrorCode, Failure};
use mongodb::bson::{Bson, RawDocumentBuf, doc, rawdoc};
use std::time::Duration;

fn parse(uri: &str, options: &RawDocumentBuf) -> Result<Settings, Failure> {
    Settings::parse(uri, options)
}

#[test]
fn an_option_wins_over_the_same_one_in_the_uri() {
    let settings = parse(
        "mongodb://a:1,b:2/shop?maxPoolSize=5&socketTimeoutMS=45000",
        &rawdoc! { "maxPoolSize": 10.0, "timeoutMS": 300 },
    )
    .unwrap();
    assert_eq!(settings.limits.max_pool_size, 10);
    assert_eq!(settings.limits.socket_timeout, Some(Duration::from_secs(45)));
    assert_eq!(settings.limits.timeout, Some(Duration::from_millis(300)));
    assert_eq!(settings.database, "shop");
    assert_eq!(settings.hosts(), ["a:1", "b:2"]);
    assert_eq!(parse("mongodb://a", &rawdoc! { "w": "majority" }).unwrap().database, "test");
}

#[test]
fn shows_no_password_that_stands_for_a_port() {
    for uri in [
        "mongodb://user:S3CR3T,h:27017/db",
        "mongodb://user:S3CR3T:ah:27017/db",
        "mongodb://user:S3CR3T",
        "mongodb://u:p@user:S3CR3T27017/?tls=true",
        "mongodb://a:1,user:S3CR3T@x/",
    ] {
        let failure = parse(uri, &rawdoc! {}).err().map(|failure| format!("{failure} {:?}", failure.details));
        assert!(!failure.is_some_and(|text| text.contains("S3CR3T")), "{uri}");
    }
}

#[test]
fn names_the_option_that_it_refuses_and_shows_no_secret() {
    let refused = |uri: &str, options: &RawDocumentBuf| {
        let failure = parse(uri, options).err().unwrap();
        assert_eq!(failure.code, ErrorCode::InvalidConfig, "{failure}");
        assert!(!failure.to_string().contains("S3CR3T"), "{failure}");
        failure
            .details
            .iter()
            .find(|(name, _)| *name == "option")
            .map(|(_, value)| format!("{value:?}"))
            .unwrap_or_default()
    };
    assert!(refused("", &rawdoc! {}).contains("uri"));
    assert!(refused("http://user:S3CR3T@h/", &rawdoc! {}).contains("uri"));
    assert!(refused("mongodb://h:99999/", &rawdoc! {}).contains("uri"));
    assert!(refused("mongodb://user:S3CR3T@h/?maxPoolSize=x", &rawdoc! {}).contains("maxPoolSize"));
    assert!(refused("mongodb://h", &rawdoc! { "autoEncryption": {} }).contains("autoEncryption"));
    assert!(refused("mongodb://h", &rawdoc! { "maxPoolSize": -1 }).contains("maxPoolSize"));
    assert!(refused("mongodb://h", &rawdoc! { "socketTimeoutMS": -1 }).contains("socketTimeoutMS"));
}

/// The connection as text, with the parts of the credential that are no secrets.
fn shown(settings: &Settings) -> String {
    let credential = settings.connection.credential.clone().unwrap_or_default();
    let parts = (credential.mechanism, credential.source, credential.mechanism_properties);
    format!("{:?} {parts:?}", settings.connection)
}

/// Options of the URI specification: a value, and what the crate makes of it.
const HONOURED: &[(&str, &str, &str)] = &[
    ("appName", "shop", "app_name: Some(\"shop\")"),
    ("authMechanism", "SCRAM-SHA-256", "ScramSha256"),
    ("authMechanismProperties", "ENVIRONMENT:k8s", "\"k8s\""),
    ("authSource", "users", "\"users\""),
    ("compressors", "zstd,snappy", "compressors: Some([Zstd"),
    ("connectTimeoutMS", "1234", "connect_timeout: Some(1.234s)"),
    ("directConnection", "true", "direct_connection: Some(true)"),
    ("enableOverloadRetargeting", "true", "enable_overload_retargeting: Some(true)"),
    ("heartbeatFrequencyMS", "1234", "heartbeat_frequency: Some(1.234s)"),
    ("journal", "true", "journal: Some(true)"),
    ("loadBalanced", "true", "load_balanced: Some(true)"),
    ("localThresholdMS", "12", "local_threshold: Some(12ms)"),
    ("maxAdaptiveRetries", "3", "max_adaptive_retries: Some(3)"),
    ("maxConnecting", "3", "max_connecting: Some(3)"),
    ("maxIdleTimeMS", "1234", "max_idle_time: Some(1.234s)"),
    ("maxPoolSize", "7", "max_pool_size: Some(7)"),
    ("minPoolSize", "2", "min_pool_size: Some(2)"),
    ("readConcernLevel", "majority", "Majority"),
    ("readPreference", "nearest", "Nearest"),
    ("replicaSet", "rs7", "replica_set: Some(\"rs7\")"),
    ("retryReads", "false", "retry_reads: Some(false)"),
    ("retryWrites", "false", "retry_writes: Some(false)"),
    ("serverMonitoringMode", "poll", "Poll"),
    ("serverSelectionTimeoutMS", "1234", "server_selection_timeout: Some(1.234s)"),
    ("tls", "true", "tls: Some(Enabled"),
    ("tlsAllowInvalidCertificates", "true", "allow_invalid_certificates: Some(true)"),
    ("tlsCAFile", "/ca.pem", "ca_file_path: Some(\"/ca.pem\")"),
    ("tlsCertificateKeyFile", "/key.pem", "cert_key_file_path: Some(\"/key.pem\")"),
    ("tlsInsecure", "true", "allow_invalid_certificates: Some(true)"),
    ("w", "2", "Nodes(2)"),
    ("wtimeoutMS", "1234", "w_timeout: Some(1.234s)"),
    ("ssl", "true", "tls: Some(Enabled"),
];

#[test]
fn takes_every_option_of_the_uri_specification_from_the_uri_and_from_the_options() {
    for (name, value, made) in HONOURED {
        let with = match *name {
            // Only some mechanisms have properties.
            "authMechanismProperties" => "mongodb://h/?authMechanism=MONGODB-OIDC&",
            name if name.starts_with("auth") => "mongodb://u:p@h/?",
            _ => "mongodb://h/?",
        };
        let in_uri =
            parse(&format!("{with}{name}={value}"), &rawdoc! {}).unwrap_or_else(|failure| panic!("{name}: {failure}"));
        let text = shown(&in_uri);
        assert!(text.contains(made), "{name} of the URI: {text}");
        let value: Bson = match value.parse::<i32>() {
            Ok(number) => number.into(),
            Err(_) if *value == "true" || *value == "false" => (*value == "true").into(),
            Err(_) => (*value).into(),
        };
        let options = RawDocumentBuf::try_from(&doc! { *name: value }).unwrap();
        let given = parse(with, &options).unwrap_or_else(|failure| panic!("{name}: {failure}"));
        let text = shown(&given);
        assert!(text.contains(made), "{name} as an option: {text}");
    }
}

#[test]
fn refuses_by_name_what_the_uri_specification_has_and_the_crate_has_not() {
    for (name, value) in [
        ("proxyHost", "h"),
        ("proxyPort", "1080"),
        ("proxyUsername", "u"),
        ("proxyPassword", "S3CR3T"),
        ("tlsAllowInvalidHostnames", "true"),
        ("tlsDisableOCSPEndpointCheck", "true"),
        ("tlsDisableCertificateRevocationCheck", "true"),
        ("serverSelectionTryOnce", "false"),
        ("noSuchOption", "1"),
    ] {
        let failure = parse(&format!("mongodb://h/?{name}={value}"), &rawdoc! {}).err().unwrap();
        assert!(failure.message.to_lowercase().contains(&name.to_lowercase()), "{name}: {failure}");
        assert!(format!("{:?}", failure.details).to_lowercase().contains(&name.to_lowercase()), "{name}: {failure:?}");
        assert!(!failure.to_string().contains("S3CR3T"));
    }
    assert!(
        parse("mongodb://h/?tlsAllowInvalidHostnames=false&monitorCommands=true", &rawdoc! {})
            .unwrap()
            .monitor_commands
    );
    let short =
        parse("mongodb://h/?j=true&wtimeout=5", &rawdoc! { "rejectUnauthorized": false, "tls": true, "noDelay": true })
            .unwrap();
    let text = format!("{:?}", short.connection);
    assert!(
        text.contains("journal: Some(true)")
            && text.contains("w_timeout: Some(5ms)")
            && text.contains("certificates: Some(true)"),
        "{text}"
    );
}

#[test]
fn spells_structured_options_in_the_query() {
    let tags = rawdoc! { "readPreference": "secondary", "readPreferenceTags": [{ "dc": "east" }, {}], "authMechanismProperties": { "ENVIRONMENT": "k8s" } };
    let text = shown(&parse("mongodb://h/?authMechanism=MONGODB-OIDC&readPreferenceTags=dc:west", &tags).unwrap());
    assert!(text.contains("east") && !text.contains("west") && text.contains("k8s"), "{text}");
    let options = rawdoc! {
        "readPreference": { "mode": "secondary", "tags": [{ "dc": "east" }], "maxStalenessSeconds": 120 },
        "writeConcern": { "w": 2, "j": true }, "tls": true, "appName": "a b&c=d", "compressors": ["zlib", "snappy"],
    };
    let settings = parse("mongodb://u:p%40@h/?w=1", &options).unwrap();
    assert_eq!(settings.connection.app_name.as_deref(), Some("a b&c=d"));
    assert_eq!(settings.connection.compressors.as_ref().map(Vec::len), Some(2));
    assert!(format!("{:?}", settings.connection.write_concern).contains("Nodes(2)"));
    assert!(format!("{:?}", settings.connection.read_preference).contains("east"));
}

/// The option that is named by what refuses it.
fn option_of(uri: &str, options: &RawDocumentBuf) -> String {
    let failure = parse(uri, options).err().unwrap_or_else(|| panic!("accepted {uri} {options:?}"));
    let option = failure.details.iter().find(|(name, _)| *name == "option").map(|(_, value)| format!("{value:?}"));
    let option = option.unwrap_or_default();
    option.split('"').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn names_the_option_whatever_the_crate_calls_it() {
    for (uri, options, option) in [
        ("mongodb://h", rawdoc! { "compressors": ["zlib", 1] }, "compressors"),
        ("mongodb://h", rawdoc! { "compressors": "nope" }, "compressors"),
        ("mongodb://h", rawdoc! { "serverMonitoringMode": true }, "serverMonitoringMode"),
        ("mongodb://u:p@h", rawdoc! { "authMechanism": "MONGODB-CR" }, "authMechanism"),
        ("mongodb://u:p@h", rawdoc! { "authMechanism": "MONGODB-X509" }, "authMechanism"),
        ("mongodb://h", rawdoc! { "authMechanism": "MONGODB-OIDC" }, "authMechanismProperties"),
        ("mongodb://h", rawdoc! { "readPreferenceTags": [{ "a": "b" }] }, "readPreferenceTags"),
        ("mongodb://h", rawdoc! { "ssl": 1 }, "ssl"),
        ("mongodb://h", rawdoc! { "j": "yes" }, "j"),
        ("mongodb://h", rawdoc! { "wtimeout": "x" }, "wtimeout"),
        ("mongodb://h", rawdoc! { "writeConcern": { "w": -1 } }, "writeConcern"),
        ("mongodb://h", rawdoc! { "readConcern": { "level": 1 } }, "readConcern"),
        ("mongodb://h", rawdoc! { "auth": { "username": "u", "password": 1 } }, "auth"),
        ("mongodb://h", rawdoc! { "driverInfo": { "name": 1 } }, "driverInfo"),
        ("mongodb://h", rawdoc! { "serverApi": { "version": 1 } }, "serverApi"),
        ("mongodb://h", rawdoc! { "heartbeatFrequencyMS": 100 }, "heartbeatFrequencyMS"),
        ("mongodb://h/?appName=a&appName=b", rawdoc! {}, "appName"),
        ("mongodb://h/?monitorCommands=x", rawdoc! {}, "monitorCommands"),
        ("mongodb://h/?readPreference=nope", rawdoc! {}, "readPreference"),
        ("mongodb://h/?replicaSet=", rawdoc! {}, "replicaSet"),
    ] {
        assert_eq!(option_of(uri, &options), option, "{uri} {options:?}");
    }
}

#[test]
fn refuses_options_that_contradict_one_another() {
    for (uri, options, option) in [
        ("mongodb://a,b", rawdoc! { "directConnection": true }, "directConnection"),
        ("mongodb://a,b/?loadBalanced=true", rawdoc! {}, "loadBalanced"),
        ("mongodb://a/?loadBalanced=true", rawdoc! { "replicaSet": "r" }, "loadBalanced"),
        ("mongodb://a/?loadBalanced=true", rawdoc! { "directConnection": true }, "loadBalanced"),
        ("mongodb://a", rawdoc! { "tls": true, "ssl": false }, "ssl"),
        ("mongodb://a", rawdoc! { "minPoolSize": 5, "maxPoolSize": 2 }, "minPoolSize"),
        ("mongodb://a", rawdoc! { "minPoolSize": 101 }, "minPoolSize"),
        ("mongodb://a", rawdoc! { "w": 0, "journal": true }, "journal"),
        ("mongodb://a", rawdoc! { "writeConcern": { "w": 0, "j": true } }, "writeConcern"),
        ("mongodb://a", rawdoc! { "readPreference": "nearest", "maxStalenessSeconds": 89 }, "maxStalenessSeconds"),
        (
            "mongodb://a",
            rawdoc! { "readPreference": { "mode": "nearest", "maxStalenessSeconds": 9 } },
            "readPreference",
        ),
    ] {
        assert_eq!(option_of(uri, &options), option, "{uri} {options:?}");
    }
    assert!(parse("mongodb://a", &rawdoc! { "minPoolSize": 200, "maxPoolSize": 0 }).is_ok());
}

#[test]
fn takes_what_the_node_driver_takes_and_the_crate_does_not() {
    let parsed = |options: &RawDocumentBuf| parse("mongodb://h", options).unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(parsed(&rawdoc! {}).connection.max_pool_size, Some(100));
    assert_eq!(parsed(&rawdoc! { "maxPoolSize": 0 }).connection.max_pool_size, Some(u32::MAX));
    assert_eq!(parsed(&rawdoc! { "compressors": ["none"] }).connection.compressors, None);
    assert_eq!(parsed(&rawdoc! { "replicaSet": "" }).connection.replica_set, None);
    assert!(parsed(&rawdoc! { "serverSelectionTimeoutMS": 0 }).limits.selection_timeout > Duration::from_hours(24));
    let name = parsed(&rawdoc! { "appName": "ü".repeat(100) }).connection.app_name;
    assert_eq!(name.map(|name| name.len()), Some(128));
    let auth = parsed(&rawdoc! { "auth": { "username": "u/:@", "password": "p?,%" }, "authMechanism": "plain" });
    let credential = auth.connection.credential.unwrap_or_default();
    assert_eq!((credential.username.as_deref(), credential.password.as_deref()), (Some("u/:@"), Some("p?,%")));
    assert!(parsed(&rawdoc! { "auth": { "username": "", "password": "" } }).connection.credential.is_none());
}

#[test]
fn a_short_password_garbles_no_message() {
    let failure = parse("mongodb://u:p@h/", &rawdoc! { "authMechanism": "MONGODB-X509" }).err().unwrap();
    assert!(failure.message.contains("password cannot be specified"), "{failure}");
}
