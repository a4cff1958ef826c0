//! The vectors of `docs/protocol.md` §18, all of them.

use super::*;

const A1: &str = "\
27f3dc51d3a86668d9c497c37f6ccda3dab2454ef318fc25c0c2a9247b1ef210c4319860ca8f8ad09a9dedcf3a176564\
a41cee0b974b64f3fbf2a6e8078b2a636a984076368fbdaaaf17c9852c6aaf9eaf50bc73dc91132778dde1b95dceaf26\
52efbe129b0609f0342ad5fc3027e640341f06a7878bd6f7c3275ea4b1454dd488bf69664d474f246166be52cc8e35f7\
23beaf7726e691a017e8360172676fd0d755bde1a113e3f0e699aec43a31808036cdbb7eb1df57070513d89ffb5451de\
316ef73223c43e0e51c653348e8adac270e55b1950b8f4ef1b7c79cd09253ee66222f03a60c390892f5326cc79b2245a\
8f289d489a42751b069e2f8487f9e25b";
const B1: &str = "\
77b5fab4631aea374cb5b6d90076bf0498eab1362f0df155ef2d3e673555cc76541757e75305414744bdc9e61fa6c66f\
61a68a0b2e7e40467c0530412fff76a709ef31069562eb2b17dc4e36d7afbf1517b2ad78940deeeb6af5b99152722afe\
0b107a7b6a830dbd9d98f6c7980616fadb52738de68650c32c4b3fd5b8b5d3af1469dd34eba14d4f48a5f9a34c07d6d5\
b58a9528aa9f1f1bbcf5721b9dbc88cb37a6f32d9d6c6a72ccf6743d65ec45fabdf8d5599bd6c01e1ab56df54f04a2c0\
ae2f5aa32f3f06dafcf633f4ac7125dc1a649fa692bfd72cf3bc50349310ce56fc268f5b388f46fa91ffe2cf6a8279a9\
82241c5f10baec0dde2a69808445b63f";
const S1: &str = "\
5c08edcb2db287968f784ff20ede4aa6760ace231b87cb3cc14a51642d7ee6b1a6eee127d14773b34b17deedda39c632\
6f087c6a92d12343856b32a73b1d2ea433de622d420965f66d759362e157037933b5d8a785f5d7774378a3649220d1eb\
8da36f791cce7ce0100d4ad1a134494728fa0f051e9c7c02d5cab60d7ab4f9490c8ef99af77e4260d746e4a9ef5d5b9f\
eeae7017f4c979f39c70a86841f9faa9ac5da1152f158d6cfd06bc52cadefe30b793ad23a58d5f4b70e0cc60f02b4593\
25d8dfa293392c29c07ccb0555d6536a78abeabe8f2ca86e6f4bf4d57fd233710f9da6c1d899a1f39aed5c1379737aab\
9ded80ea9ee75d44767cbe4d0aca4710";
const B2: &str = "\
3134ec0939c2515bd7e1bfd2f4ae035e8e9a69cdc5bf8a03a02412f038dbab9cb334897c0ee0e445fa6eb88c5b9d25e1\
78757ec3deff2d53242be0d0bfe5b1080ba53b546e7ef3be83a3af711d2b7f7d59fdd785ade19c6e0e3fb0e44f7df476\
6ae3d58ce3ee06b0728aa59dc75c657af18527aec6e9357319412e14a9bcf796386cb1fd7693937ddb6644b3c2876d8c\
6f0bc065876525c848ec22a659d1338386bdaf23edda80bc2e692595769ec01f76c3dc8be7fd6a9e137e5e18eb9151b2\
3b592fdff5805424cd4abf77943a3966ca453f361c7cec32f59923d4b11fc09dfd31ab6bdeea02cb7e3e1ea01f06a42c\
f0fbba305c13146e6b009bc8b85b43ef";
const S2: &str = "\
3fb572e4ce10318ec54093e417102d4f6694b08252af4eff2dd18102cccdc018c54207afc0ef221068412ea61f7e3249\
fcb4e993e842b86857e5422a8390d6bcfb6a14dc6d1496afbf841c7733f3b861c3e9ed57cf3dbba684ff95ff3f2eeab2\
bf0995c58e5928a2b558513c4a13a0eddcf4927a940c9e991818f4e7a792ac438e7ca73724bb0c7de1f4887f60b5b921\
7a6689a852c28515c2bc4b97405c780dd30155a954af13b73336a6a5cd75ba04c6aa866b238486de8cce4e5f568106cb\
0d512c44eba02d7127d8984279a5b1c78fe59980e58b62867b93d56ed0b6b3c7f5b23cdff43ea1a02437c1b420be6fc3\
fdf3b5ecd7e5d96afea4cdd04e665194";

const ACCOUNT: &str = "sync.test@example.com";
const PASSWORD: &str = "Tr0ub4dor&3-icloudds";
const SALT: &str = "9d3f1c5b7a2e48606f8192a3b4c5d6e7";
const SECRET: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f90123456789abcdef00fedcba987654321";
const SERVER_SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0aabbccddeeff00112233445566778899";
/// Vector 3a: A begins with a zero byte.
const SECRET_3A: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f90123456789abcdef00fedcba987654450";
/// Vector 3b: S begins with a zero byte.
const SECRET_3B: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f90123456789abcdef00fedcba9876543c3";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn challenge(protocol: &str, salt: &str, iteration: u32, b: Vec<u8>) -> Challenge {
    Challenge { protocol: protocol.to_owned(), iteration, salt: bytes(salt), b }
}

/// The service's B for a password: k·v + g^b.
fn server_b(protocol: Protocol, password: &str, salt: &str, rounds: u32) -> Vec<u8> {
    let derived = derive(protocol, password, &bytes(salt), rounds);
    let x = BigUint::from_bytes_be(&hash(&[&bytes(salt), &hash(&[b":", &derived])]));
    let g = BigUint::from(2u8);
    let k = BigUint::from_bytes_be(&hash(&[&padded(&N), &padded(&g)]));
    let b = BigUint::from_bytes_be(&bytes(SERVER_SECRET));
    padded(&((k * g.modpow(&x, &N) + g.modpow(&b, &N)) % &*N)).to_vec()
}

fn shared_of_vector_1(exchange: &Exchange, protocol: Protocol, b: &str) -> BigUint {
    let derived = derive(protocol, PASSWORD, &bytes(SALT), 20136);
    exchange.shared(&derived, &bytes(SALT), &BigUint::from_bytes_be(&bytes(b))).expect("an acceptable B")
}

#[test]
fn vectors_1_and_2_agree_in_every_number() {
    let exchange = Exchange::with_secret(&bytes(SECRET));
    assert_eq!(hex(&exchange.public()), A1);
    for (name, protocol, p, b, s, m1, m2) in [
        (
            "s2k",
            Protocol::S2k,
            "99e46574c845da3c2e2761f7ded40eed02f1a2acc2202a61ea237fae5bc0a85d",
            B1,
            S1,
            "96747bce44f42c7c030c731fb4a5021c9b9d80463a65f68fa24ecbc3113e4f2b",
            "6f773a5f3ff9667d4dea3b83a6a127cee7d7944803c3e75b595d78238a8709c5",
        ),
        (
            "s2k_fo",
            Protocol::S2kFo,
            "3d9eee3517a2c076697edef36dc8d9fff5494a5fbc051ac45f18b807eb84901b",
            B2,
            S2,
            "446b74f9281a52c42b102f64f6ee9ddfc6f35fd12458dcb22c29ab20fa2018ac",
            "7505b973a962da68d2600ced34dde218edfc8eff6718c545d1bf2ee8a246d238",
        ),
    ] {
        assert_eq!(hex(&derive(protocol, PASSWORD, &bytes(SALT), 20136)), p, "{name}: p");
        assert_eq!(hex(&server_b(protocol, PASSWORD, SALT, 20136)), b, "{name}: B");
        assert_eq!(hex(&padded(&shared_of_vector_1(&exchange, protocol, b))), s, "{name}: S");
        let challenge = challenge(name, SALT, 20136, bytes(b));
        let proof = exchange.prove(ACCOUNT, PASSWORD, &challenge).expect("a proof");
        assert_eq!((hex(&proof.m1).as_str(), hex(&proof.m2).as_str()), (m1, m2), "{name}");
    }
}

#[test]
fn vector_3_is_hashed_padded() {
    for (a, m1, m2) in [
        (
            SECRET_3A,
            "e5186e893ae5fd3494ff25487de0aa89c834f459de2c08c3fa8ab0a1512b2dcb",
            "1d69e706bd5722f3f5c382f7e86a9dd1edea6a7b7d59b15db1d4b101ac16cc02",
        ),
        (
            SECRET_3B,
            "cda28b2cc0d469c28276f7d51374454d85e30b092e117fa3db4a4c59b42e5d53",
            "3636a4483f3a76deb6950ba06ac2b2401b0372c4920f1dc00c8a9dcd40aeec90",
        ),
    ] {
        let exchange = Exchange::with_secret(&bytes(a));
        let proof = exchange
            .prove(ACCOUNT, PASSWORD, &challenge("s2k", SALT, 20136, bytes(B1)))
            .expect("zero bytes in front are no reason to draw again");
        assert_eq!((hex(&proof.m1).as_str(), hex(&proof.m2).as_str()), (m1, m2));
    }
    let drawn = Exchange::with_secret(&bytes(SECRET_3A)).public();
    assert_eq!(drawn[0], 0, "A is sent whole, with its zero byte");
}

#[test]
fn vector_4_keeps_the_zero_of_the_salt_and_the_letters_of_the_password() {
    let exchange = Exchange::with_secret(&bytes(SECRET));
    for (name, protocol, password, salt, p, m1, m2) in [
        (
            "s2k",
            Protocol::S2k,
            PASSWORD,
            "00112233445566778899aabbccddeeff",
            "b07d031c067748a9d4e9015a8c3c5a8ad0b1e6a815c29f2dac49b4f3c22e2479",
            "ce29941d2f4b86a80739251ed0152d3ac35e420df50b519159921c1a3e37ebf6",
            "7d9787388e86189f17f211b3e0ceb7350def51dc3a061d5becf98863360b164d",
        ),
        (
            "s2k_fo",
            Protocol::S2kFo,
            "pässwörd–ключ",
            SALT,
            "1885627a23666959810c2929571deea51424e34c0978a75e74d861c7eee9441a",
            "c784c993acb898db6e44a586b62289da9b4d958480f98c1246b1e9baec457c2d",
            "24766c00e7aa0547bf8c65ec51bad4b4fef091bd0d3e728c6d1ed4efcafe2b34",
        ),
    ] {
        assert_eq!(hex(&derive(protocol, password, &bytes(salt), 1000)), p, "{name}: p");
        let challenge = challenge(name, salt, 1000, server_b(protocol, password, salt, 1000));
        let proof = exchange.prove(ACCOUNT, password, &challenge).expect("a proof");
        assert_eq!((hex(&proof.m1).as_str(), hex(&proof.m2).as_str()), (m1, m2), "{name}");
    }
}

#[test]
fn the_group_constants_agree() {
    let two = padded(&BigUint::from(2u8));
    for (got, expected) in [
        (hash(&[&padded(&N), &two]), "05b9e8ef059c6b32ea59fc1d322d37f04aa30bae5aa9003b8321e21ddb04e300"),
        (hash(&[&padded(&N)]), "91b71d6b40d439954568d412e883de5186f9381e25aef36e7a4607722f7e15ca"),
        (hash(&[&two]), "330f13889983d473f51a237d8fc2816c9c8860a5aaa085304e9e7f362c64d956"),
        (hash(&[PASSWORD.as_bytes()]), "f3bfa92425d30fb035eb9832e32d6c44ebe9a2806ae8acc2bcd90f19dfcb147e"),
        (hash(&[ACCOUNT.as_bytes()]), "08bc7bbad20135d5b9a4371efda8fd9272621ade6291d7509026863c819721d4"),
    ] {
        assert_eq!(hex(&got), expected);
    }
}

#[test]
fn hostile_answers_are_refused() {
    let exchange = Exchange::with_secret(&bytes(SECRET));
    let prove = |protocol: &str, rounds, b: Vec<u8>| {
        exchange.prove(ACCOUNT, PASSWORD, &challenge(protocol, SALT, rounds, b)).expect_err("refused")
    };
    assert_eq!(prove("s2k", 1000, vec![0; 256]), SrpError::BadNumber);
    assert_eq!(prove("s2k", 1000, N.to_bytes_be()), SrpError::BadNumber);
    assert_eq!(prove("s2k", 1000, (&*N + 1u8).to_bytes_be()), SrpError::BadNumber);
    assert_eq!(prove("s2k", 1000, vec![0xff; 300]), SrpError::BadNumber);
    assert_eq!(prove("s2k", 1000, vec![]), SrpError::BadNumber);
    assert_eq!(prove("s2k", 1_000_001, bytes(B1)), SrpError::TooManyRounds(1_000_001));
    assert_eq!(prove("s2k", 0, bytes(B1)), SrpError::UnknownProtocol);
    assert_eq!(prove("s3k", 1000, bytes(B1)), SrpError::UnknownProtocol);
    // Nobody knows how a B that came in another length is hashed, so it is not used.
    assert_eq!(prove("s2k", 1, bytes(&B1[..510])), SrpError::Again);
    assert_eq!(prove("s2k", 1, [&[0], &bytes(B1)[..]].concat()), SrpError::Again);
}

#[test]
fn a_b_of_full_length_is_hashed_as_it_came_also_with_a_zero_byte_in_front() {
    let exchange = Exchange::with_secret(&bytes(SECRET));
    let mut b = bytes(B1);
    b[0] = 0;
    let proof = exchange.prove(ACCOUNT, PASSWORD, &challenge("s2k", SALT, 1, b.clone())).expect("a proof");
    let derived = derive(Protocol::S2k, PASSWORD, &bytes(SALT), 1);
    let s = exchange.shared(&derived, &bytes(SALT), &BigUint::from_bytes_be(&b)).expect("acceptable");
    assert_eq!(proof, proofs(ACCOUNT, &bytes(SALT), &exchange.public(), &b, &padded(&s)));
}
