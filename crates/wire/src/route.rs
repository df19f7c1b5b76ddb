//! Which API is this? Decided on the raw path, before the body is read.

use moho_terms::{ModelId, ResponseId};

use crate::{Command, ErrorShape, Failure};

/// What routing needs of a request's head.
#[derive(Clone, Copy)]
pub struct RequestHead<'a> {
    /// The method as sent.
    pub method: &'a str,
    /// The path as sent, not decoded.
    pub raw_path: &'a str,
    /// The query as sent, without `?`; empty if there is none.
    pub raw_query: &'a str,
    /// The `Content-Type` as sent.
    pub content_type: Option<&'a str>,
    /// The `Authorization` header as sent: a credential scope in it chooses the AWS service.
    pub authorization: Option<&'a str>,
}

/// Under which prefix an OpenAI route was called; it decides signing name and IAM action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// `/v1`, as on Bedrock's Mantle endpoint: actions `bedrock-mantle:…`.
    Mantle,
    /// `/openai/v1`, as on Bedrock's runtime endpoint: actions `bedrock:…`.
    Runtime,
}

/// The API a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `POST /responses`
    CreateResponse(Prefix),
    /// `GET /responses/{id}`
    GetResponse(Prefix, ResponseId),
    /// `DELETE /responses/{id}`
    DeleteResponse(Prefix, ResponseId),
    /// `GET /responses/{id}/input_items`
    ListInputItems(Prefix, ResponseId),
    /// `POST /chat/completions`
    CreateChat(Prefix),
    /// `GET /models`
    ListModels(Prefix),
    /// `GET /models/{id}`
    GetModel(Prefix, ModelId),
    /// `POST /` with a form, to this AWS query service: the form's `Action` names the operation.
    Query(crate::aws::QueryService),
}

/// A request that has an address here.
pub struct Route {
    target: Target,
    raw_query: String,
}

/// A request that has none: why, and in which protocol to say so.
#[derive(Debug)]
pub struct RouteRefused {
    /// Why.
    pub failure: Failure,
    /// The protocol the client seems to speak.
    pub shape: ErrorShape,
}

/// Finds the API for a request.
///
/// # Errors
/// [`RouteRefused`] for a path, method or service that is not served.
pub fn route(head: &RequestHead<'_>) -> Result<Route, RouteRefused> {
    let _: &str = head.method;
    todo!()
}

/// The service in the credential scope of a SigV4 `Authorization` header.
#[must_use]
pub fn signing_name(authorization: &str) -> Option<&str> {
    let _: &str = authorization;
    todo!()
}

impl Route {
    /// The API.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The protocol of this API's errors.
    #[must_use]
    pub fn error_shape(&self) -> ErrorShape {
        todo!()
    }

    /// The services a request may be signed for here, such as `bedrock-mantle`.
    #[must_use]
    pub fn signing_names(&self) -> &'static [&'static str] {
        todo!()
    }

    /// The most bytes a body may have here.
    #[must_use]
    pub fn body_limit(&self) -> usize {
        todo!()
    }

    /// What the request asks for.
    ///
    /// # Errors
    /// A [`Failure`] that says which field is wrong, without repeating its value.
    pub fn command(&self, body: &[u8]) -> Result<Command, Failure> {
        let _: (&str, &[u8]) = (&self.raw_query, body);
        todo!()
    }
}
