//! May they? Each command is decided here, on the resource it names, before its handler runs.
//!
//! The handlers ask for the permits; this is the only place that gets them.

mod audit;
mod bedrock;
mod bedrock_control;
mod cloudtrail;
mod conversations;
mod ec2;
mod iam;
mod kms;
mod logs;
mod named;
mod organizations;
mod prompts;
mod restore;
mod sts;
pub(super) mod web_identity;

use moho_iam::action::{self, Action, kms as key_action, mantle};
use moho_iam::authn::Authenticated;
use moho_iam::authz::{Context, Permit, Refusal, RequestFacts};
use moho_kms::EncryptionContext;
use moho_terms::{Arn, ResponseId};
use moho_wire::bedrock::ModelIdentifier;
use moho_wire::{Command, ErrorShape, Failure, Prefix, Route};

use super::failure;
use crate::api_calls::Calling;
use crate::handlers::{Asked, InferencePermit, Named, Proof, chat, models, responses, usage};
use crate::invocations::Invocation;
use crate::net::Outbound;
use crate::quota::Entrance;
use crate::startup::Platform;
use crate::telemetry::RequestSpan;

/// One request between authentication and its handler.
pub(super) struct Trip<'a> {
    pub(super) platform: &'a std::sync::Arc<Platform>,
    /// What is logged of it, if it calls a model and that is logged.
    pub(super) invocation: Option<&'a Invocation>,
    pub(super) caller: &'a Authenticated,
    pub(super) facts: &'a RequestFacts,
    pub(super) route: &'a Route,
    pub(super) span: &'a RequestSpan,
    pub(super) entrance: &'a std::sync::Arc<Entrance>,
    pub(super) calling: &'a Calling,
}

impl Trip<'_> {
    fn permit<A: Action>(&self, resource: &Arn) -> Result<Permit<A>, Failure> {
        self.permit_with(resource, &Context::new())
    }

    fn permit_with<A: Action>(&self, resource: &Arn, context: &Context) -> Result<Permit<A>, Failure> {
        self.decide(resource, context)
            .map_err(|refusal| self.refused(&refusal))
    }

    /// What policies say. The call is about what was decided about.
    fn decide<A: Action>(&self, resource: &Arn, context: &Context) -> Result<Permit<A>, Refusal> {
        let decided = self
            .platform
            .authorizer
            .authorize(self.caller, self.facts, resource, context);
        match &decided {
            Ok(_permit) => self.calling.about(resource),
            // What is hidden is told as if it were not there, also here.
            Err(refusal) => self.calling.denied(refusal),
        }
        decided
    }

    /// Whether the caller would get leave for something that is not there.
    fn judge_absent<A: Action>(&self, resource: &Arn, context: &Context) -> Result<(), Failure> {
        self.platform
            .authorizer
            .judge_absent::<A>(self.caller, self.facts, resource, context)
            .inspect_err(|refusal| self.calling.denied(refusal))
            .map_err(|refusal| self.refused(&refusal))
    }

    /// A refusal, with why it was refused sealed behind it where AWS's clients look for that: in EC2's errors.
    fn refused(&self, refusal: &Refusal) -> Failure {
        match (self.route.error_shape(), refusal) {
            (ErrorShape::Ec2, Refusal::AccessDenied { message, detail, .. }) => {
                let why = sts::encoded(self, detail);
                Failure::AccessDenied(format!(
                    "You are not authorized to perform this operation. {message}{why}"
                ))
            }
            (_, refusal) => failure::from_refusal(refusal),
        }
    }

    fn prefix(&self) -> Prefix {
        self.route.target().prefix().unwrap_or(Prefix::Mantle)
    }

    fn arn(&self, service: &str, resource: &str) -> Result<Arn, Failure> {
        let account = self.caller.session().account();
        Arn::of(service, self.platform.region.as_str(), account.as_str(), resource)
            .map_err(|_invalid| Failure::Internal)
    }

    fn list_models(&self) -> Result<Permit<action::bedrock::ListFoundationModels>, Failure> {
        self.permit(&self.arn("bedrock", "*")?)
    }

    fn response_arn(&self, response: &ResponseId) -> Result<Arn, Failure> {
        self.arn("bedrock-mantle", &format!("response/{response}"))
    }

    fn inference(&self, named: &ModelIdentifier, stream: bool) -> Result<InferencePermit, Failure> {
        let (proof, named) = match (self.prefix(), stream) {
            (Prefix::Mantle, _) => proven(Proof::Mantle, self.on_named(named)?),
            (Prefix::Runtime, false) => proven(Proof::Invoke, self.on_named(named)?),
            (Prefix::Runtime, true) => proven(Proof::Stream, self.on_named(named)?),
        };
        InferencePermit::new(proof, named, self.invocation)
    }

    /// The service of AWS's that an OpenAI route belongs to.
    fn own_service(&self) -> &'static str {
        match self.prefix() {
            Prefix::Mantle => "bedrock-mantle",
            Prefix::Runtime => "bedrock",
        }
    }

    /// The use of the key that the caller chose, or else of the account's, for something that is bound to it by the encryption
    /// context.
    fn chosen_key<A: Action>(
        &self,
        chosen: Option<&str>,
        context: &EncryptionContext,
    ) -> Result<Permit<A>, Failure> {
        match chosen {
            None => self.account_key_for(context, self.own_service()),
            Some(name) => self.key_by_name(name, (context, self.own_service())),
        }
    }

    fn response_context(&self, response: &ResponseId) -> Result<EncryptionContext, Failure> {
        let context = moho_store::response_context(self.caller.session().account(), response);
        context.map_err(|error| failure::from_store(&error))
    }

    /// The use of the account's key by one of moho's services for the caller, if the key can be used at all: what would
    /// fail in the end is refused before anything is done.
    fn account_key_for<A: Action>(
        &self,
        context: &EncryptionContext,
        service: &str,
    ) -> Result<Permit<A>, Failure> {
        self.key_for(&self.account_key()?, context, service)
    }

    /// The same of a key that the caller named, or that something is sealed under.
    fn key_for<A: Action>(
        &self,
        key: &Arn,
        context: &EncryptionContext,
        service: &str,
    ) -> Result<Permit<A>, Failure> {
        let via = format!("{service}.{}.amazonaws.com", self.platform.region);
        let context = context.condition_keys().with("kms:ViaService", via);
        let permit = self.permit_with(key, &context)?;
        let usable = self.platform.kms.key(&permit);
        usable.map_err(|error| failure::from_key_use(&error))?;
        Ok(permit)
    }

    /// The key that seals what the caller's account stores.
    fn account_key(&self) -> Result<Arn, Failure> {
        let account = self.caller.session().account();
        match self.platform.store.account_key(account) {
            Ok(Some(key)) => Ok(key),
            // Who acts is of an account that is there.
            Ok(None) => Err(Failure::Internal),
            Err(error) => Err(failure::from_store(&error)),
        }
    }

    /// Leave to read a stored response: for it, and for the key that it is sealed under.
    fn read(&self, response: ResponseId) -> Result<responses::ReadPermits, Failure> {
        let read = self.permit::<mantle::GetInference>(&self.response_arn(&response)?)?;
        let under = self.platform.store.response_key(&read);
        let key = match under.map_err(|error| failure::from_store(&error))? {
            Some((account, key)) => self.key_arn(account, &key)?,
            // What is not there is decided as if it were.
            None => self.account_key()?,
        };
        let context = self.response_context(&response)?;
        Ok(responses::ReadPermits {
            read,
            key: self.key_for::<key_action::Decrypt>(&key, &context, self.own_service())?,
            response,
        })
    }

    fn asked(&self) -> Asked {
        Asked {
            platform: std::sync::Arc::clone(self.platform),
            request: self.facts.request_id.clone(),
            account: self.caller.session().account(),
            span: self.span.clone(),
            entrance: std::sync::Arc::clone(self.entrance),
        }
    }
}

/// Decides, and lets the handler act.
pub(super) async fn dispatch(trip: &Trip<'_>, command: Command) -> Result<Outbound, Failure> {
    trip.platform.restored.check(&command)?;
    let asked = trip.asked();
    match command {
        Command::CreateResponse(create) => create_response(trip, *create).await,
        Command::CreatePromptedResponse(prompted) => prompts::respond(trip, *prompted).await,
        Command::GetResponse(id) => responses::get(&asked, trip.read(id)?).await,
        Command::ListInputItems(list) => {
            responses::input_items(&asked, trip.read(list.id.clone())?, &list).await
        }
        Command::DeleteResponse(id) => {
            let permit = trip.permit::<mantle::DeleteInference>(&trip.response_arn(&id)?)?;
            responses::delete(&asked, permit, id).await
        }
        Command::Conversations(request) => conversations::dispatch(trip, *request).await,
        Command::CreateChat(create) => {
            let permit = trip.inference(&create.model, create.stream)?;
            chat::create(asked, permit, *create).await
        }
        Command::ListModels => list_models(trip),
        Command::GetModel(id) => get_model(trip, &id),
        Command::GetUsage(get) => {
            let permit = trip.permit::<mantle::GetUsage>(&trip.arn("bedrock-mantle", "project/default")?)?;
            usage::get(&asked, permit, *get).await
        }
        Command::ListKeys(list) => kms::overview::list(trip, list).await,
        Command::GetKey(key) => kms::overview::get(trip, &key).await,
        Command::ListRecords(list) => audit::list(trip, *list).await,
        Command::GetRestore => restore::get(trip),
        Command::AcceptRestore(accept) => restore::accept(trip, &accept),
        Command::Sts(request) => sts::dispatch(trip, request),
        Command::Ec2(request) => ec2::dispatch(trip, request).await,
        Command::Iam(request) => iam::dispatch(trip, request).await,
        Command::Organizations(request) => organizations::dispatch(trip, request).await,
        Command::Kms(request) => kms::dispatch(trip, request).await,
        Command::Logs(request) => logs::dispatch(trip, request).await,
        Command::CloudTrail(request) => cloudtrail::dispatch(trip, request).await,
        Command::BedrockControl(request) => bedrock_control::dispatch(trip, request).await,
        Command::BedrockAgent(request) => prompts::dispatch(trip, request).await,
        Command::ConversePrompt(prompted) => prompts::converse(trip, *prompted).await,
        Command::Converse(converse) => bedrock::converse(trip, *converse).await,
        Command::ConverseStream(converse) => bedrock::converse_stream(trip, *converse).await,
        Command::InvokeModel(invoke) => bedrock::invoke(trip, *invoke).await,
        Command::InvokeModelWithResponseStream(invoke) => bedrock::invoke_stream(trip, *invoke).await,
        Command::CountTokens(count) => bedrock::count_tokens(trip, *count).await,
        Command::ListFoundationModels(list) => bedrock::list_foundation_models(trip, &list),
        Command::GetFoundationModel(model) => bedrock::get_foundation_model(trip, &model),
    }
}

async fn create_response(
    trip: &Trip<'_>,
    mut create: moho_wire::openai::responses::CreateResponse,
) -> Result<Outbound, Failure> {
    let inference = trip.inference(&create.model, create.stream)?;
    let id = ResponseId::random(&*trip.platform.entropy).map_err(|_none| Failure::Unavailable)?;
    let days = trip.kept_days(create.days)?;
    let store = match (create.store, days) {
        (Some(true), None) => return Err(failure::keeps_nothing("store", "Responses")),
        (Some(false), _) | (None, None) => None,
        (Some(true) | None, Some(days)) => {
            let context = trip.response_context(&id)?;
            let key = trip.chosen_key::<key_action::GenerateDataKey>(create.key.as_deref(), &context)?;
            Some(responses::StorePermit { key, days })
        }
    };
    let earlier = match (&create.previous_response_id, &create.conversation) {
        (Some(previous), _) => responses::Earlier::Response(Box::new(trip.read(previous.clone())?)),
        (None, Some(conversation)) => {
            let conversations::Continuing { reading, adding } = trip.continuing(conversation)?;
            responses::Earlier::Conversation(Box::new((reading, adding)))
        }
        (None, None) => responses::Earlier::Nothing,
    };
    let permits = responses::CreatePermits {
        inference,
        store,
        earlier,
    };
    create.echo.store = permits.store.is_some();
    responses::create(trip.asked(), permits, id, create).await
}

fn list_models(trip: &Trip<'_>) -> Result<Outbound, Failure> {
    let permit = match trip.prefix() {
        Prefix::Mantle => {
            let everything = trip.arn("bedrock-mantle", "project/default")?;
            models::ListPermit::Mantle(trip.permit::<mantle::ListModels>(&everything)?)
        }
        Prefix::Runtime => models::ListPermit::Bedrock(trip.list_models()?),
    };
    models::list(trip.platform, &permit)
}

fn get_model(trip: &Trip<'_>, named: &ModelIdentifier) -> Result<Outbound, Failure> {
    let (permit, resolved) = match trip.prefix() {
        Prefix::Mantle => proven(models::GetPermit::Mantle, trip.on_named(named)?),
        Prefix::Runtime => proven(models::GetPermit::Bedrock, trip.on_named(named)?),
    };
    models::get(trip.platform, &permit, (named, &resolved.model))
}

/// A permit by the name of its API, with what it is for.
fn proven<A, P>(proof: impl FnOnce(Permit<A>) -> P, (permit, named): (Permit<A>, Named)) -> (P, Named) {
    (proof(permit), named)
}
