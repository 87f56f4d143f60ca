//! What can be wrong with a template, or with what it was given.

use std::{io, path::PathBuf};

/// Why a template has no manifests.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the template, or one that it names.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not HCL.
    #[error("{path} is not HCL: {source}", path = path.display())]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        source: Box<hcl::Error>,
    },
    /// A variable without a default that was given no value.
    #[error("variable {name:?} has no value: {description}")]
    NoValue {
        /// Its name.
        name: String,
        /// Its description.
        description: String,
    },
    /// A value for a variable that there is not.
    #[error("there is no variable {name:?}; there are {known}")]
    NoVariable {
        /// The name that was given.
        name: String,
        /// All that there are.
        known: String,
    },
    /// A value that is not of its variable's type.
    #[error("variable {name:?}: {reason}")]
    WrongType {
        /// The variable's name.
        name: String,
        /// What was expected, and what is there.
        reason: String,
    },
    /// A value that a variable's validation refuses; the text is the variable's own.
    #[error("variable {name:?}: {message}")]
    Invalid {
        /// The variable's name.
        name: String,
        /// `error_message` of the validation.
        message: String,
    },
    /// A value that an output's precondition refuses; the text is the output's own.
    #[error("output {name:?}: {message}")]
    Precondition {
        /// The output's name.
        name: String,
        /// `error_message` of the precondition.
        message: String,
    },
    /// An expression without a value.
    #[error("{address}: {reason}")]
    Expression {
        /// What it belongs to, such as `local.name`.
        address: String,
        /// Why.
        reason: String,
    },
    /// Something that this crate does not know, and so does not pass over.
    #[error("{address}: {what} is not something that this evaluates")]
    Unknown {
        /// Where.
        address: String,
        /// What.
        what: String,
    },
}

impl Error {
    pub(crate) fn expression(address: &str, reason: impl ToString) -> Self {
        Self::Expression {
            address: address.to_owned(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn unknown(address: &str, what: impl ToString) -> Self {
        Self::Unknown {
            address: address.to_owned(),
            what: what.to_string(),
        }
    }
}
