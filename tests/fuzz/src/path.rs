//! Normal forms of paths: whatever the bytes and the policy, one form and no way above the root.

use portcullis_plan::normalize::{DuplicateSlashes, Encoded, Parameters, PathPolicy, host, path};

/// An accepted path is absolute, has no dot segments, and is its own normal form. The first byte chooses the policy.
pub fn normal_form_is_a_fixed_point(bytes: &[u8]) {
    let Some((&choice, raw)) = bytes.split_first() else {
        return;
    };
    let policy = policy(choice);
    let (mut scratch, mut again) = (Vec::new(), Vec::new());
    if let Ok(once) = path(raw, &policy, &mut scratch) {
        assert!(once.starts_with(b"/"));
        assert!(
            !once
                .split(|&byte| byte == b'/')
                .any(|segment| matches!(segment, b"." | b".."))
        );
        assert_eq!(path(once, &policy, &mut again), Ok(once));
    }
}

/// A host is lower case and its own normal form.
pub fn host_is_a_fixed_point(bytes: &[u8]) {
    let (mut scratch, mut again) = (Vec::new(), Vec::new());
    let (name, _) = host(bytes, &mut scratch);
    assert!(!name.bytes().any(|byte| byte.is_ascii_uppercase()));
    if !name.contains(':') && !name.ends_with('.') {
        assert_eq!(host(name.as_bytes(), &mut again), (name, None));
    }
}

fn policy(choice: u8) -> PathPolicy {
    let encoded = |bit: u8| {
        if choice & bit == 0 {
            Encoded::Refuse
        } else {
            Encoded::Keep
        }
    };
    PathPolicy {
        duplicate_slashes: match choice & 3 {
            0 => DuplicateSlashes::Merge,
            1 => DuplicateSlashes::Keep,
            _ => DuplicateSlashes::Refuse,
        },
        encoded_slashes: encoded(4),
        encoded_backslashes: encoded(8),
        parameters: match choice >> 4 & 3 {
            0 => Parameters::Keep,
            1 => Parameters::Strip,
            _ => Parameters::Refuse,
        },
    }
}
