//! The vectors of docs/protocol.md §18, on the server's side.

use super::*;

const NAME: &str = "sync.test@example.com";
const PASSWORD: &str = "Tr0ub4dor&3-icloudds";
const SALT: &str = "9d3f1c5b7a2e48606f8192a3b4c5d6e7";
const B: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0aabbccddeeff00112233445566778899";
const A: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f90123456789abcdef00fedcba987654321";

fn unhex(text: &str) -> Vec<u8> {
    BigUint::parse_bytes(format!("01{text}").as_bytes(), 16).unwrap().to_bytes_be()[1..].to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `A` for the client's secret `a`.
fn client_public(a: &str) -> Vec<u8> {
    generator().modpow(&BigUint::from_bytes_be(&unhex(a)), &prime()).to_bytes_be()
}

fn exchange(a: &str, p: &[u8; 32], salt: &str) -> Exchange {
    Exchange::begin(&client_public(a), p, &unhex(salt), &unhex(B)).unwrap()
}

#[test]
fn vector_1_s2k() {
    let p = stretch(Protocol::S2k, PASSWORD, &unhex(SALT), 20136);
    assert_eq!(hex(&p), "99e46574c845da3c2e2761f7ded40eed02f1a2acc2202a61ea237fae5bc0a85d");
    assert!(hex(&client_public(A)).starts_with("27f3dc51d3a86668d9c497c37f6ccda3"));
    let exchange = exchange(A, &p, SALT);
    assert!(hex(&pad(&exchange.verifier)).starts_with("1997f1df6da84aa92c6b598184b2bcb9"));
    let public = hex(&exchange.public());
    assert!(public.starts_with("77b5fab4631aea374cb5b6d90076bf04"));
    assert!(public.ends_with("ec0dde2a69808445b63f"));
    for padded in [true, false] {
        let proofs = exchange.proofs(NAME, padded);
        assert_eq!(hex(&proofs.key), "01d022e28cd0ac30520e54ac7c810cf35b10bc1b9316235b51e9b04b90c3ac31");
        assert_eq!(hex(&proofs.m1), "96747bce44f42c7c030c731fb4a5021c9b9d80463a65f68fa24ecbc3113e4f2b");
        assert_eq!(hex(&proofs.m2), "6f773a5f3ff9667d4dea3b83a6a127cee7d7944803c3e75b595d78238a8709c5");
    }
}

#[test]
fn vector_2_s2k_fo() {
    let p = stretch(Protocol::S2kFo, PASSWORD, &unhex(SALT), 20136);
    assert_eq!(hex(&p), "3d9eee3517a2c076697edef36dc8d9fff5494a5fbc051ac45f18b807eb84901b");
    let exchange = exchange(A, &p, SALT);
    assert!(hex(&exchange.public()).starts_with("3134ec0939c2515bd7e1bfd2f4ae035e"));
    let proofs = exchange.proofs(NAME, true);
    assert_eq!(hex(&proofs.m1), "446b74f9281a52c42b102f64f6ee9ddfc6f35fd12458dcb22c29ab20fa2018ac");
    assert_eq!(hex(&proofs.m2), "7505b973a962da68d2600ced34dde218edfc8eff6718c545d1bf2ee8a246d238");
}

/// One row of vector 3: `a`, then `K`, `M1`, `M2` padded and unpadded.
struct Row {
    a: &'static str,
    padded: [&'static str; 3],
    unpadded: [&'static str; 3],
}

const VECTOR_3: [Row; 2] = [
    Row {
        a: "a1b2c3d4e5f60718293a4b5c6d7e8f90123456789abcdef00fedcba987654450",
        padded: [
            "07e5341d2336ac9d72bd2cdfe6f72b57e5defcc38d3b9303d2b4ddd8a94f4c51",
            "e5186e893ae5fd3494ff25487de0aa89c834f459de2c08c3fa8ab0a1512b2dcb",
            "1d69e706bd5722f3f5c382f7e86a9dd1edea6a7b7d59b15db1d4b101ac16cc02",
        ],
        unpadded: [
            "07e5341d2336ac9d72bd2cdfe6f72b57e5defcc38d3b9303d2b4ddd8a94f4c51",
            "6435d38ee1b87daf7ec3822ea75eb6c3dfabc0b355865ef8f616d4e7eee426bc",
            "fc1040756dc8f2bc860f04081ac04aafdf70c79b1c93a89e6a5326532b261faf",
        ],
    },
    Row {
        a: "a1b2c3d4e5f60718293a4b5c6d7e8f90123456789abcdef00fedcba9876543c3",
        padded: [
            "2fa7a08202a223e50cbfa4fc05746b26b34e6dc23cf660642b51ad23f65ee612",
            "cda28b2cc0d469c28276f7d51374454d85e30b092e117fa3db4a4c59b42e5d53",
            "3636a4483f3a76deb6950ba06ac2b2401b0372c4920f1dc00c8a9dcd40aeec90",
        ],
        unpadded: [
            "1d3b0d2375839d4c3757317bae44c53499c6cbd5a9bae4a6f3c03e281a13fc84",
            "66b4a458e4abc87092f42a7171b8e98b7ff8de77f0a44dd91791877ee60e330e",
            "d05a988b80eba310b21a0cdc9d7a8209dc7b1421537ae2534a250e44cd614cd4",
        ],
    },
];

#[test]
fn vector_3_leading_zero_bytes() {
    let p = stretch(Protocol::S2k, PASSWORD, &unhex(SALT), 20136);
    for row in VECTOR_3 {
        let exchange = exchange(row.a, &p, SALT);
        for (padded, expected) in [(true, row.padded), (false, row.unpadded)] {
            let proofs = exchange.proofs(NAME, padded);
            assert_eq!([hex(&proofs.key), hex(&proofs.m1), hex(&proofs.m2)], expected);
            let accepts = |srp| exchange.accepts(NAME, &proofs.m1, &proofs.m2, srp);
            assert!(accepts(Srp::Both));
            assert_eq!(accepts(Srp::Padded), padded);
            assert_eq!(accepts(Srp::Unpadded), !padded);
        }
    }
}

#[test]
fn vector_4_salt_with_a_leading_zero_and_a_foreign_password() {
    let salt = "00112233445566778899aabbccddeeff";
    let p = stretch(Protocol::S2k, PASSWORD, &unhex(salt), 1000);
    assert_eq!(hex(&p), "b07d031c067748a9d4e9015a8c3c5a8ad0b1e6a815c29f2dac49b4f3c22e2479");
    let proofs = exchange(A, &p, salt).proofs(NAME, true);
    assert_eq!(
        [hex(&proofs.key), hex(&proofs.m1), hex(&proofs.m2)],
        [
            "19bf8cd5e2d8c88d4da4ca4c615639154fb70250386adb252a5ef2ffbab936e4",
            "ce29941d2f4b86a80739251ed0152d3ac35e420df50b519159921c1a3e37ebf6",
            "7d9787388e86189f17f211b3e0ceb7350def51dc3a061d5becf98863360b164d",
        ]
    );

    let p = stretch(Protocol::S2kFo, "pässwörd–ключ", &unhex(SALT), 1000);
    assert_eq!(hex(&p), "1885627a23666959810c2929571deea51424e34c0978a75e74d861c7eee9441a");
    let proofs = exchange(A, &p, SALT).proofs(NAME, true);
    assert_eq!(
        [hex(&proofs.key), hex(&proofs.m1), hex(&proofs.m2)],
        [
            "fb53d4099e8ea98f2b8418a538b505d1f4f89be2019d5c240a8c6b6413dcdd4f",
            "c784c993acb898db6e44a586b62289da9b4d958480f98c1246b1e9baec457c2d",
            "24766c00e7aa0547bf8c65ec51bad4b4fef091bd0d3e728c6d1ed4efcafe2b34",
        ]
    );
}

#[test]
fn a_client_value_of_zero_is_refused() {
    let p = [0; 32];
    assert!(Exchange::begin(&[0; 256], &p, b"salt", b"b").is_none());
    assert!(Exchange::begin(&pad(&prime()), &p, b"salt", b"b").is_none());
}
