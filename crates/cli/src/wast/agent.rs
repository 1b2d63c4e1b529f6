//! An agent: one store with the instances of a script, and the directives that act on it. A
//! `thread` of a script is an agent on a thread of its own; the two share memories, nothing else.
//!
//! A directive either is as the script says or ends the script with its line and a message.

use super::spectest;
use super::values::{argument, check_results};
use super::words;
use super::{Allowance, Summary};
use selkie::{
    Engine, Error, ErrorKind, Extern, Instance, Linker, Module, RootScope, Store, UpdateDeadline,
    Val,
};
use std::collections::HashMap;
use std::thread::ScopedJoinHandle;
use wast::token::Id;
use wast::{QuoteWat, WastArg, WastDirective, WastExecute, WastInvoke, WastRet, WastThread, Wat};

/// Line and message.
pub(super) type Failure = (usize, String);

type Outcome = Result<Summary, Failure>;
type Running<'scope> = ScopedJoinHandle<'scope, Outcome>;

/// What a call is given and gives is held as long as this.
type Scope<'s> = RootScope<&'s mut Store<()>>;

/// Exports by name, as an instance or another agent gives them.
type Exports = HashMap<String, Extern>;

pub(super) struct Agent<'scope, 'script> {
    engine: Engine,
    allowance: Allowance,
    store: Store<()>,
    /// What modules import: the host's `spectest` and registered instances.
    linker: Linker<()>,
    /// Instances by their name in the script.
    named: HashMap<String, Exports>,
    /// The instance that directives without a name mean.
    current: Option<Exports>,
    /// Modules that are defined but not instantiated.
    definitions: HashMap<String, Module>,
    last_definition: Option<Module>,
    /// The agents that this one started and has not waited for.
    threads: HashMap<String, Running<'scope>>,
    scope: &'scope std::thread::Scope<'scope, 'script>,
    text: &'script str,
    summary: Summary,
}

impl<'scope, 'script> Agent<'scope, 'script> {
    pub(super) fn new(
        engine: &Engine,
        allowance: Allowance,
        text: &'script str,
        scope: &'scope std::thread::Scope<'scope, 'script>,
    ) -> Result<Agent<'scope, 'script>, String> {
        let mut store = Store::try_new(engine, ()).map_err(|e| e.to_string())?;
        store.set_limits(allowance.limits);
        if engine.config().tuning().consume_fuel {
            store.set_fuel(allowance.fuel).map_err(|e| e.to_string())?;
        }
        if engine.config().tuning().epoch_interruption {
            store.set_deadline(allowance.timeout).map_err(|e| e.to_string())?;
        }
        if allowance.is_interrupted {
            store.set_epoch_deadline(0).map_err(|e| e.to_string())?;
            store.epoch_deadline_callback(|mut store| {
                store.gc();
                Ok(UpdateDeadline::Continue(0))
            });
        }
        let linker = spectest::linker(engine, &mut store).map_err(|e| e.to_string())?;
        Ok(Agent {
            engine: engine.clone(),
            allowance,
            store,
            linker,
            named: HashMap::new(),
            current: None,
            definitions: HashMap::new(),
            last_definition: None,
            threads: HashMap::new(),
            scope,
            text,
            summary: Summary::default(),
        })
    }

    /// Runs directives; threads that nobody waited for are waited for at the end.
    pub(super) fn run(mut self, directives: Vec<WastDirective<'script>>) -> Outcome {
        for directive in directives {
            let line = directive.span().linecol_in(self.text).0 + 1;
            self.directive(directive).map_err(|e| e.at(line))?;
        }
        let unwaited: Vec<String> = self.threads.keys().cloned().collect();
        for name in unwaited {
            self.wait(&name).map_err(|e| e.at(1))?;
        }
        Ok(self.summary)
    }

    fn directive(&mut self, directive: WastDirective<'script>) -> Result<(), Problem> {
        use WastDirective as D;
        match directive {
            D::AssertInvalidCustom { .. } | D::AssertMalformedCustom { .. } => {
                self.summary.passed_over += 1;
                return Ok(());
            }
            D::Module(..)
            | D::ModuleDefinition(..)
            | D::ModuleInstance { .. }
            | D::Register { .. }
            | D::Invoke(..)
            | D::Thread(..)
            | D::Wait { .. } => self.summary.commands += 1,
            _ => self.summary.assertions += 1,
        }
        match directive {
            D::Module(module) => self.define_and_instantiate(module)?,
            D::ModuleDefinition(module) => self.define(module)?,
            D::ModuleInstance { instance, module, .. } => {
                let module = self.definition(module)?.clone();
                self.instantiate(instance, &module)??;
            }
            D::Register { name, module, .. } => self.register(name, module)?,
            D::Invoke(invoke) => self.invoke(invoke, |_, outcome| Ok(outcome.map(drop)?))?,
            D::AssertReturn { exec, results, .. } => self.assert_return(exec, &results)?,
            D::AssertTrap { exec, message, .. } => self.assert_trap(exec, message)?,
            D::AssertExhaustion { call, message, .. } => {
                self.assert_trap(WastExecute::Invoke(call), message)?;
            }
            D::AssertException { exec, .. } => {
                self.execute(exec, |store, outcome| {
                    must_fail(store, outcome, ErrorKind::Exception, "an exception").map(drop)
                })?;
            }
            D::AssertInvalid { module, message, .. }
            | D::AssertMalformed { module, message, .. } => {
                self.must_be_refused(module, message)?
            }
            D::AssertUnlinkable { module, message, .. } => {
                self.assert_unlinkable(module, message)?;
            }
            D::Thread(thread) => self.spawn(thread)?,
            D::Wait { thread, .. } => self.wait(thread.name())?,
            // A suspension that nobody handles traps.
            D::AssertSuspension { exec, message, .. } => self.assert_trap(exec, message)?,
            _ => return Err("this directive is not supported".into()),
        }
        Ok(())
    }

    fn compile(&self, module: &mut QuoteWat<'_>) -> Result<Module, Problem> {
        if let QuoteWat::Wat(Wat::Component(_)) | QuoteWat::QuoteComponent(..) = module {
            return Err("components are not supported".into());
        }
        let bytes = module.encode().map_err(|e| format!("cannot be encoded: {}", e.message()))?;
        Ok(Module::from_binary(&self.engine, &bytes)?)
    }

    fn define_and_instantiate(&mut self, mut module: QuoteWat<'_>) -> Result<(), Problem> {
        let name = module.name();
        // A failed module must not leave the one before it in its place.
        self.current = None;
        let compiled = self.compile(&mut module)?;
        Ok(self.instantiate(name, &compiled)??)
    }

    fn define(&mut self, mut module: QuoteWat<'_>) -> Result<(), Problem> {
        let compiled = self.compile(&mut module)?;
        if let Some(name) = module.name() {
            self.definitions.insert(name.name().to_string(), compiled.clone());
        }
        self.last_definition = Some(compiled);
        Ok(())
    }

    fn definition(&self, name: Option<Id<'_>>) -> Result<&Module, Problem> {
        let found = match name {
            Some(name) => self.definitions.get(name.name()),
            None => self.last_definition.as_ref(),
        };
        found.ok_or_else(|| "no such module definition".into())
    }

    /// The inner result is the instantiation's own.
    fn instantiate(
        &mut self,
        name: Option<Id<'_>>,
        module: &Module,
    ) -> Result<Result<(), Error>, Problem> {
        let instance = match self.linker.instantiate(&mut self.store, module) {
            Ok(instance) => instance,
            Err(error) => return Ok(Err(error)),
        };
        let exports = self.exports(instance);
        if let Some(name) = name {
            self.named.insert(name.name().to_string(), exports.clone());
        }
        self.current = Some(exports);
        Ok(Ok(()))
    }

    fn exports(&mut self, instance: Instance) -> Exports {
        instance.exports(&mut self.store).into_iter().collect()
    }

    fn register(&mut self, name: &str, instance: Option<Id<'_>>) -> Result<(), Problem> {
        let exports = self.instance(instance)?.clone();
        for (item, export) in exports {
            self.linker.define(&mut self.store, name, &item, export)?;
        }
        Ok(())
    }

    fn instance(&self, name: Option<Id<'_>>) -> Result<&Exports, Problem> {
        let found = match name {
            Some(name) => self.named.get(name.name()),
            None => self.current.as_ref(),
        };
        found.ok_or_else(|| "no such instance".into())
    }

    fn export(&self, instance: Option<Id<'_>>, name: &str) -> Result<Extern, Problem> {
        let export = self.instance(instance)?.get(name);
        export.copied().ok_or_else(|| format!("nothing is exported as {name:?}").into())
    }

    /// Calls, and lets `judge` see the results. What they refer to is let go afterwards.
    fn invoke(
        &mut self,
        invoke: WastInvoke<'_>,
        judge: impl FnOnce(&Scope<'_>, Result<&[Val], Error>) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let export = self.export(invoke.module, invoke.name)?;
        let func = export.into_func().ok_or("the export is no function")?;
        let mut scope = RootScope::new(&mut self.store);
        let mut values = Vec::with_capacity(invoke.args.len());
        for arg in &invoke.args {
            let WastArg::Core(arg) = arg else {
                return Err("values of components are not supported".into());
            };
            values.push(argument(&mut scope, arg)?);
        }
        let mut results = vec![Val::I32(0); func.ty(&scope).results().len()];
        let outcome = func.call(&mut scope, &values, &mut results);
        judge(&scope, outcome.map(|()| &results[..]))
    }

    /// Does what a directive says, and lets `judge` see how it ended.
    fn execute(
        &mut self,
        exec: WastExecute<'_>,
        judge: impl FnOnce(&Scope<'_>, Result<&[Val], Error>) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        match exec {
            WastExecute::Invoke(invoke) => self.invoke(invoke, judge),
            WastExecute::Wat(wat) => {
                let module = self.compile(&mut QuoteWat::Wat(wat))?;
                let outcome = self.instantiate(None, &module)?;
                judge(&RootScope::new(&mut self.store), outcome.map(|()| &[][..]))
            }
            WastExecute::Get { module, global, .. } => {
                let export = self.export(module, global)?;
                let global = export.into_global().ok_or("the export is no global")?;
                let mut scope = RootScope::new(&mut self.store);
                let value = global.get(&mut scope);
                judge(&scope, Ok(&[value]))
            }
        }
    }

    fn assert_return(
        &mut self,
        exec: WastExecute<'_>,
        expected: &[WastRet<'_>],
    ) -> Result<(), Problem> {
        self.execute(exec, |store, results| Ok(check_results(store, results?, expected)?))
    }

    fn assert_trap(&mut self, exec: WastExecute<'_>, expected: &str) -> Result<(), Problem> {
        self.execute(exec, |store, outcome| {
            let error = must_fail(store, outcome, ErrorKind::Trap, expected)?;
            let message = error.trap().map_or("", |trap| trap.message());
            // Some scripts add the index of an element to the words.
            if message.starts_with(expected) || expected.starts_with(message) {
                return Ok(());
            }
            Err(format!("trapped with `{message}`, but should with `{expected}`").into())
        })
    }

    fn assert_unlinkable(&mut self, module: Wat<'_>, expected: &str) -> Result<(), Problem> {
        let module = self.compile(&mut QuoteWat::Wat(module))?;
        let Err(error) = self.instantiate(None, &module)? else {
            return Err(format!("linked, but should not: {expected}").into());
        };
        let message = error.to_string();
        // WebAssembly 1.0 refused segments that do not fit; since 2.0 they trap.
        let was_refused = expected.ends_with("segment does not fit");
        // One proposal has words of its own for a mismatch.
        let expected = match expected {
            "memory types incompatible" => "incompatible import type",
            other => other,
        };
        // One proposal's scripts have words of their own.
        let in_other_words = expected.ends_with("types incompatible");
        let as_said =
            error.kind() == ErrorKind::Link && (in_other_words || message.starts_with(expected));
        if as_said || was_refused && error.kind() == ErrorKind::Trap {
            return Ok(());
        }
        Err(format!("refused with `{message}`, but should with `{expected}`").into())
    }

    /// Starts an agent that knows the shared memories of one of our instances, under its name.
    fn spawn(&mut self, thread: WastThread<'script>) -> Result<(), Problem> {
        let mut shared = Vec::new();
        if let Some(name) = thread.shared_module {
            for (export, item) in self.instance(Some(name))? {
                let memory = item.into_memory().and_then(|memory| memory.as_shared(&self.store));
                shared.extend(memory.map(|memory| (export.clone(), memory)));
            }
        }
        let (engine, allowance) = (self.engine.clone(), self.allowance);
        let (text, scope) = (self.text, self.scope);
        let (module, directives) = (thread.shared_module, thread.directives);
        let running = scope.spawn(move || {
            let mut agent =
                Agent::new(&engine, allowance, text, scope).map_err(|message| (1, message))?;
            let store = &mut agent.store;
            let mut exports = Exports::new();
            for (name, memory) in shared {
                let memory = memory.memory(&mut *store).map_err(|e| (1, e.to_string()))?;
                exports.insert(name, memory.into());
            }
            agent.named.extend(module.map(|name| (name.name().to_string(), exports)));
            agent.run(directives)
        });
        self.threads.insert(thread.name.name().to_string(), running);
        Ok(())
    }

    /// Waits for an agent; what went wrong there goes wrong here, with its own line.
    fn wait(&mut self, name: &str) -> Result<(), Problem> {
        let running = self.threads.remove(name).ok_or("no such thread")?;
        let outcome = running.join().map_err(|_| "the thread panicked")?;
        let summary = outcome.map_err(|(line, message)| Problem(message, Some(line)))?;
        self.summary.assertions += summary.assertions;
        self.summary.commands += summary.commands;
        self.summary.passed_over += summary.passed_over;
        Ok(())
    }

    fn must_be_refused(&self, mut module: QuoteWat<'_>, expected: &str) -> Result<(), Problem> {
        if let QuoteWat::Wat(Wat::Component(_)) | QuoteWat::QuoteComponent(..) = module {
            return Err("components are not supported".into());
        }
        let accepted = match module.encode() {
            Err(_) => false,
            Ok(bytes) => Module::validate(&self.engine, &bytes).is_ok(),
        };
        if accepted {
            return Err(format!("accepted, but should be refused with: {expected}").into());
        }
        Ok(())
    }
}

fn must_fail(
    store: &Scope<'_>,
    outcome: Result<&[Val], Error>,
    kind: ErrorKind,
    expected: &str,
) -> Result<Error, Problem> {
    match outcome {
        Ok(results) => {
            let results = words::values(store, results);
            Err(format!("returned {results}, but should have failed with {expected}").into())
        }
        Err(error) if error.kind() == kind => Ok(error),
        Err(error) => Err(format!("failed with `{error}`, but should have with {expected}").into()),
    }
}

/// What is wrong with a directive, and where if it is not where the directive stands.
struct Problem(String, Option<usize>);

impl Problem {
    fn at(self, line: usize) -> Failure {
        (self.1.unwrap_or(line), self.0)
    }
}

impl From<String> for Problem {
    fn from(message: String) -> Problem {
        Problem(message, None)
    }
}

impl From<&str> for Problem {
    fn from(message: &str) -> Problem {
        Problem(message.to_string(), None)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        Problem(error.to_string(), None)
    }
}
