//! Did one of these keys sign this token?

use crate::{
    jwt::compact::UnverifiedJwt,
    keys::{key::VerificationKey, set::MAX_CANDIDATES},
    token::claims::RegisteredClaims,
};

/// The claims of a token whose signature holds. Only [`verify`] makes one.
pub(crate) struct VerifiedPayload(RegisteredClaims);

impl VerifiedPayload {
    pub(crate) fn claims(&self) -> &RegisteredClaims {
        &self.0
    }

    pub(crate) fn into_claims(self) -> RegisteredClaims {
        self.0
    }
}

/// Checks the signature with each candidate, at most four (RFC 7515 §5.2). The key's algorithm is the token's: the
/// selection compared them.
pub(crate) fn verify<'k>(
    jwt: UnverifiedJwt<'_>,
    candidates: [Option<&'k VerificationKey>; MAX_CANDIDATES],
) -> Option<(VerifiedPayload, &'k VerificationKey)> {
    let holds = |key: &VerificationKey| {
        key.algorithm() == jwt.algorithm() && key.verify(jwt.signing_input(), jwt.signature())
    };
    let key = candidates.into_iter().flatten().find(|key| holds(key))?;
    Some((VerifiedPayload(jwt.into_claims()), key))
}
