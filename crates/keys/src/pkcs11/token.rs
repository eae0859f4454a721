//! One token and the keys in it: generate, sign, destroy, each surviving the loss of a session.

use std::sync::Arc;

use cryptoki::error::Error;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use parking_lot::Mutex;
use x509::cms::LegacySignature;
use x509::{KeyAlgorithm, PublicKey, SignatureAlgorithm};

use super::attributes::{
    Recipe, generation_mechanism, private_template, public_attributes, public_key, public_template,
};
use super::config::{Pkcs11Config, TokenStatus};
use super::decipher::Opening;
use super::fault::Fault;
use super::module::Module;
use super::pool::{Lease, Pool};
use crate::KeyError;
use crate::record::{KeyId, KeyUse};

pub(crate) struct Token {
    module: Mutex<Option<Arc<Module>>>,
    pool: Pool,
}

impl Token {
    pub(crate) fn new(config: Pkcs11Config) -> Self {
        Self {
            module: Mutex::new(None),
            pool: Pool::new(config),
        }
    }

    pub(crate) fn label(&self) -> &str {
        &self.pool.config().token_label
    }

    pub(crate) fn status(&self) -> TokenStatus {
        let reached = self.run(&|lease| {
            lease
                .session
                .get_session_info()
                .map_err(|error| self.fault("asking for its state", &error))
        });
        TokenStatus {
            label: self.label().to_owned(),
            module: self.pool.config().module.clone(),
            available: reached.is_ok(),
            problem: reached.err().map(|error| error.to_string()),
        }
    }

    /// Generates inside the token and returns the public half. A key that could leave the token, or
    /// whose halves do not match, is destroyed at once.
    pub(crate) fn generate(
        &self,
        usage: KeyUse,
        algorithm: KeyAlgorithm,
        id: &KeyId,
        label: &str,
    ) -> Result<PublicKey, KeyError> {
        self.run(&|lease| {
            let session = &lease.session;
            // An earlier attempt may have been cut off after the token had done its part.
            self.destroy_objects(session, id)?;
            let made = self.generate_once(session, usage, algorithm, id, label);
            if made.is_err() {
                self.destroy_objects(session, id)?;
            }
            made
        })
    }

    fn generate_once(
        &self,
        session: &Session,
        usage: KeyUse,
        algorithm: KeyAlgorithm,
        id: &KeyId,
        label: &str,
    ) -> Result<PublicKey, Fault> {
        let what = format!("making {algorithm} keys");
        let (public, private) = session
            .generate_key_pair(
                &generation_mechanism(algorithm),
                &public_template(algorithm, id, label),
                &private_template(usage, algorithm, id, label),
            )
            .map_err(|error| self.fault(&what, &error))?;
        let held = session
            .get_attributes(
                private,
                &[AttributeType::Sensitive, AttributeType::Extractable],
            )
            .map_err(|error| self.fault("reading a new key's attributes", &error))?;
        if !held.contains(&Attribute::Sensitive(true))
            || !held.contains(&Attribute::Extractable(false))
        {
            return Err(self
                .misbehaved("it made a key that can be extracted")
                .into());
        }
        let attributes = session
            .get_attributes(public, public_attributes(algorithm))
            .map_err(|error| self.fault("reading a new public key", &error))?;
        let public = public_key(algorithm, &attributes)
            .ok_or_else(|| self.misbehaved("it made a key of another kind"))?;
        self.check_pair(session, private, algorithm, &public)?;
        Ok(public)
    }

    /// Pairwise consistency, as FIPS 140-3 demands of a fresh key.
    fn check_pair(
        &self,
        session: &Session,
        private: ObjectHandle,
        algorithm: KeyAlgorithm,
        public: &PublicKey,
    ) -> Result<(), Fault> {
        const MESSAGE: &[u8] = b"ward: first signature of a new key";
        let signature_algorithm = algorithm.default_signature();
        let recipe = Recipe::new(signature_algorithm, MESSAGE);
        let signature = self.sign_in(session, private, &recipe)?;
        public
            .verify(signature_algorithm, MESSAGE, &signature)
            .map_err(|_| {
                self.misbehaved("the halves of a new key do not match")
                    .into()
            })
    }

    /// Destroys both halves; a key that is gone already counts as destroyed.
    pub(crate) fn destroy(&self, id: &KeyId) -> Result<(), KeyError> {
        self.run(&|lease| self.destroy_objects(&lease.session, id))
    }

    fn destroy_objects(&self, session: &Session, id: &KeyId) -> Result<(), Fault> {
        let found = session
            .find_objects(&[Attribute::Id(id.as_str().as_bytes().to_vec())])
            .map_err(|error| self.fault("looking for a key", &error))?;
        for object in found {
            session
                .destroy_object(object)
                .map_err(|error| self.fault("destroying a key", &error))?;
        }
        Ok(())
    }

    fn find_private(&self, session: &Session, id: &KeyId) -> Result<ObjectHandle, Fault> {
        let found = session
            .find_objects(&[
                Attribute::Class(ObjectClass::PRIVATE_KEY),
                Attribute::Id(id.as_str().as_bytes().to_vec()),
            ])
            .map_err(|error| self.fault("looking for a key", &error))?;
        match found.as_slice() {
            [] => Err(Fault::NoKey),
            [handle] => Ok(*handle),
            _ => Err(self.misbehaved("it holds two keys with one id").into()),
        }
    }

    fn sign_in(
        &self,
        session: &Session,
        private: ObjectHandle,
        recipe: &Recipe,
    ) -> Result<Vec<u8>, Fault> {
        let signature = session
            .sign(&recipe.mechanism, private, &recipe.input)
            .map_err(|error| self.fault(&recipe.what, &error))?;
        recipe
            .finish(signature)
            .ok_or_else(|| self.misbehaved("its signature has an odd length").into())
    }

    /// Runs a piece of work in a session. A lost token is met with fresh sessions, then with a
    /// restart of the library; what remains is the caller's to handle.
    pub(super) fn run<T>(&self, work: &dyn Fn(&Lease) -> Result<T, Fault>) -> Result<T, KeyError> {
        let module = self.module()?;
        let mut fault = match self.attempt(&module, work) {
            Ok(done) => return Ok(done),
            Err((Fault::Final(error), _)) => return Err(error),
            Err((fault, _)) => fault,
        };
        tracing::warn!(
            token = self.label(),
            problem = self.describe(&fault),
            "lost a PKCS#11 session; trying a fresh one"
        );
        let generation = match self.attempt(&module, work) {
            Ok(done) => return Ok(done),
            Err((Fault::Final(error), _)) => return Err(error),
            Err((second, generation)) => {
                fault = second;
                generation
            }
        };
        if module.restart(generation)? {
            match self.attempt(&module, work) {
                Ok(done) => return Ok(done),
                Err((third, _)) => fault = third,
            }
        }
        Err(match fault {
            Fault::Final(error) => error,
            other => self.unavailable(self.describe(&other)),
        })
    }

    /// One try; on loss the epoch's sessions are dropped. Errors come with the library's generation.
    fn attempt<T>(
        &self,
        module: &Module,
        work: &dyn Fn(&Lease) -> Result<T, Fault>,
    ) -> Result<T, (Fault, u64)> {
        let context = module.enter().map_err(|error| (error.into(), 0))?;
        let epoch = self.pool.epoch();
        let lease = match self.pool.lend(&context) {
            Ok(lease) => lease,
            Err(fault) => {
                if matches!(fault, Fault::Lost(_)) {
                    self.pool.abandon(epoch);
                }
                return Err((fault, context.generation));
            }
        };
        let epoch = lease.epoch;
        let result = work(&lease);
        self.pool.give_back(lease, result.is_ok());
        if matches!(result, Err(Fault::Lost(_) | Fault::NoKey)) {
            self.pool.abandon(epoch);
        }
        result.map_err(|fault| (fault, context.generation))
    }

    fn module(&self) -> Result<Arc<Module>, KeyError> {
        let mut module = self.module.lock();
        match &*module {
            Some(module) => Ok(Arc::clone(module)),
            None => {
                let opened = Module::open(&self.pool.config().module)?;
                *module = Some(Arc::clone(&opened));
                Ok(opened)
            }
        }
    }

    pub(super) fn fault(&self, what: &str, error: &Error) -> Fault {
        Fault::from_token(self.label(), what, error)
    }

    fn describe(&self, fault: &Fault) -> String {
        match fault {
            Fault::Lost(problem) => problem.clone(),
            Fault::NoKey => "the key is not to be seen".to_owned(),
            Fault::Final(error) => error.to_string(),
        }
    }

    fn unavailable(&self, problem: String) -> KeyError {
        KeyError::Unavailable {
            token: self.label().to_owned(),
            problem,
        }
    }

    fn misbehaved(&self, problem: &'static str) -> KeyError {
        KeyError::Misbehaved {
            token: self.label().to_owned(),
            problem,
        }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        if let Some(module) = self.module.get_mut()
            && let Ok(context) = module.enter()
        {
            self.pool.close_idle(&context);
        }
    }
}

/// The private half of one key in a token.
pub(crate) struct TokenKey {
    pub(super) token: Arc<Token>,
    id: KeyId,
    sight: Mutex<Sight>,
    pub(super) opening: Opening,
}

/// What is known about where the key is. A pulled token may look like an empty one, so a key counts
/// as missing only when a restart of the library did not bring it back.
#[derive(Clone, Copy)]
enum Sight {
    Unknown,
    /// Its handle, and the epoch in which that means something.
    Found {
        epoch: u64,
        handle: ObjectHandle,
    },
    Lost {
        generation: u64,
    },
    Missing,
}

impl TokenKey {
    pub(crate) fn new(token: Arc<Token>, id: KeyId) -> Self {
        Self {
            token,
            id,
            sight: Mutex::new(Sight::Unknown),
            opening: Opening::default(),
        }
    }

    pub(crate) fn sign(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        self.sign_as(&Recipe::new(algorithm, message))
    }

    pub(crate) fn sign_legacy(
        &self,
        how: LegacySignature,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        self.sign_as(&Recipe::legacy(how, message))
    }

    fn sign_as(&self, recipe: &Recipe) -> Result<Vec<u8>, KeyError> {
        self.token.run(&|lease| {
            let handle = self.handle(lease)?;
            self.token.sign_in(&lease.session, handle, recipe)
        })
    }

    /// Whether the token is there and holds the key.
    pub(crate) fn probe(&self) -> Result<(), KeyError> {
        self.token.run(&|lease| self.look(lease).map(|_| ()))
    }

    pub(crate) fn misbehaved(&self, problem: &'static str) -> KeyError {
        self.token.misbehaved(problem)
    }

    pub(super) fn handle(&self, lease: &Lease) -> Result<ObjectHandle, Fault> {
        let sight = *self.sight.lock();
        match sight {
            Sight::Found { epoch, handle } if epoch == lease.epoch => Ok(handle),
            _ => self.look(lease),
        }
    }

    fn look(&self, lease: &Lease) -> Result<ObjectHandle, Fault> {
        let found = self.token.find_private(&lease.session, &self.id);
        let mut sight = self.sight.lock();
        match found {
            Ok(handle) => {
                *sight = Sight::Found {
                    epoch: lease.epoch,
                    handle,
                };
                Ok(handle)
            }
            Err(Fault::NoKey) => {
                let generation = lease.generation;
                *sight = match *sight {
                    Sight::Missing => Sight::Missing,
                    Sight::Lost { generation: since } if since < generation => Sight::Missing,
                    Sight::Lost { generation: since } => Sight::Lost { generation: since },
                    Sight::Unknown | Sight::Found { .. } => Sight::Lost { generation },
                };
                match *sight {
                    Sight::Missing => Err(Fault::Final(KeyError::NoSuchKey {
                        token: self.token.label().to_owned(),
                        id: self.id.clone(),
                    })),
                    _ => Err(Fault::NoKey),
                }
            }
            Err(other) => Err(other),
        }
    }
}
