//! Errors in a template, or in its input.

use std::{io, path::PathBuf};

/// Why a template has no manifests.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the template, or a file that it names, cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file is not HCL.
    #[error("{path} is not HCL: {source}", path = path.display())]
    Parse {
        /// Path of the file.
        path: PathBuf,
        /// Position and reason.
        source: Box<hcl::Error>,
    },
    /// A variable without a default has no value.
    #[error("variable {name:?} has no value: {description}")]
    NoValue {
        /// Its name.
        name: String,
        /// Its description.
        description: String,
    },
    /// A value is given for a variable that does not exist.
    #[error("there is no variable {name:?}; there are {known}")]
    NoVariable {
        /// The name that was given.
        name: String,
        /// All existing names.
        known: String,
    },
    /// A value does not have its variable's type.
    #[error("variable {name:?}: {reason}")]
    WrongType {
        /// The variable's name.
        name: String,
        /// What is required, and what was given instead.
        reason: String,
    },
    /// A variable's validation refuses a value; the text is the variable's own.
    #[error("variable {name:?}: {message}")]
    Invalid {
        /// The variable's name.
        name: String,
        /// `error_message` of the validation.
        message: String,
    },
    /// An output's precondition refuses a value; the text is the output's own.
    #[error("output {name:?}: {message}")]
    Precondition {
        /// The output's name.
        name: String,
        /// `error_message` of the precondition.
        message: String,
    },
    /// An expression has no value.
    #[error("{address}: {reason}")]
    Expression {
        /// The address that it belongs to, such as `local.name`.
        address: String,
        /// The reason.
        reason: String,
    },
    /// Something that this crate cannot evaluate. If it were ignored, the manifest could be wrong.
    #[error("{address}: cannot evaluate {what}")]
    Unknown {
        /// Its address in the configuration.
        address: String,
        /// Describes it.
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
