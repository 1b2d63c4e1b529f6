//! Canonical types of an engine.
//!
//! Two rec groups are the same type exactly when they are equal up to the names of their own
//! members (spec: valid/conventions, type equivalence is iso-recursive). A group is therefore
//! rewritten so that references into itself become positions and all others canonical ids; equal
//! rewritten groups share ids. Ids are never reused while the registry lives.

use crate::heap::{ObjectKind, ObjectLayout, TypeShape};
use crate::types::*;
use crate::{ModuleInfo, TypeId, TypeIndex};
use std::collections::HashMap;
use std::sync::Arc;

/// The canonical types.
#[derive(Debug)]
pub struct TypeRegistry {
    /// By id; place 0 is taken so that id 0 means "no type", place 1 by [`TypeId::HOST`].
    types: Vec<Arc<SubType>>,
    /// From a canonical group to its first id.
    groups: HashMap<Box<[SubType]>, TypeId>,
}

impl Default for TypeRegistry {
    fn default() -> TypeRegistry {
        let nothing = Arc::new(SubType::new(CompositeType::Struct(Box::new([]))));
        TypeRegistry { types: vec![nothing.clone(), nothing], groups: HashMap::new() }
    }
}

impl TypeRegistry {
    /// Canonical ids of all types of a module, by type index.
    pub fn register_module(&mut self, info: &ModuleInfo) -> Box<[TypeId]> {
        let mut ids: Vec<TypeId> = Vec::with_capacity(info.types.len());
        for group in &info.rec_groups {
            let members = group.start as usize..group.end as usize;
            let key: Box<[SubType]> = info.types[members]
                .iter()
                .map(|ty| {
                    ty.map_refs(&mut |r| match r {
                        TypeRef::Module(i) if i.0 >= group.start => TypeRef::Rec(i.0 - group.start),
                        TypeRef::Module(i) => TypeRef::Engine(ids[i.index()]),
                        other => other,
                    })
                })
                .collect();
            let count = key.len() as u32;
            let first = self.register_group(key);
            ids.extend((first.0..first.0 + count).map(TypeId));
        }
        ids.into()
    }

    /// The id of a type that is alone in its group and whose references are canonical already: one
    /// that the host makes.
    pub fn register_type(&mut self, ty: SubType) -> TypeId {
        self.register_group(Box::new([ty]))
    }

    fn register_group(&mut self, key: Box<[SubType]>) -> TypeId {
        if let Some(id) = self.groups.get(&key) {
            return *id;
        }
        let first = TypeId::new(self.types.len());
        for member in &key {
            self.types.push(Arc::new(member.map_refs(&mut |r| match r {
                TypeRef::Rec(i) => TypeRef::Engine(TypeId(first.0 + i)),
                other => other,
            })));
        }
        self.groups.insert(key, first);
        first
    }

    /// Number of ids handed out.
    #[allow(clippy::len_without_is_empty)] // the first places are always taken
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// A type by its id; an id that was never handed out names the empty type in place 0.
    pub fn get(&self, id: TypeId) -> &SubType {
        self.types.get(id.index()).unwrap_or(&self.types[0])
    }

    /// As [`TypeRegistry::get`], to keep.
    pub fn get_shared(&self, id: TypeId) -> Arc<SubType> {
        self.types.get(id.index()).unwrap_or(&self.types[0]).clone()
    }

    fn find(&self, ty: TypeRef) -> Option<&SubType> {
        if let TypeRef::Engine(id) = ty { Some(self.get(id)) } else { None }
    }

    /// Whether `sub` is `sup` or declared below it.
    pub fn is_subtype(&self, sub: TypeId, sup: TypeId) -> bool {
        let mut at = sub;
        while at != sup {
            match self.get(at).supertype {
                Some(TypeRef::Engine(next)) => at = next,
                _ => return false,
            }
        }
        true
    }

    /// The types above a type and itself, the root first.
    pub fn display(&self, id: TypeId) -> Box<[TypeId]> {
        let above = |at: &TypeId| match self.get(*at).supertype {
            Some(TypeRef::Engine(next)) => Some(next),
            _ => None,
        };
        let mut display: Vec<TypeId> = std::iter::successors(Some(id), above).collect();
        display.reverse();
        display.into()
    }

    /// What the descriptor of a type says.
    pub fn shape(&self, id: TypeId) -> TypeShape {
        match id {
            TypeId::HOST => TypeShape::handle(ObjectKind::Host),
            TypeId(0) => TypeShape::handle(ObjectKind::None),
            _ => {
                let (ty, display) = (self.get(id), self.display(id));
                let descriptor = ty.fields_before_descriptor(|above| self.find(above));
                TypeShape::new(ty, descriptor, display, |heap| self.heap_top(heap))
            }
        }
    }

    /// Where the first of a struct type's fields lie, or all of them: `fields`.
    pub fn struct_layout(&self, ty: &SubType, fields: &[FieldType]) -> ObjectLayout {
        let descriptor = ty.fields_before_descriptor(|above| self.find(above));
        ObjectLayout::of_struct(fields, descriptor, |heap| self.heap_top(heap))
    }

    /// The hierarchy that a heap type with canonical names belongs to.
    pub fn heap_top(&self, heap: HeapType) -> HeapTop {
        heap.top(|r| match r {
            TypeRef::Engine(id) => &self.get(id).composite,
            _ => &self.types[0].composite,
        })
    }

    /// Whether values of a type are references that the collector traces.
    pub fn is_traced(&self, ty: ValType) -> bool {
        matches!(ty, ValType::Ref(r) if self.heap_top(r.heap) != HeapTop::Func)
    }

    /// Heap subtyping over canonical types (spec: valid/matching).
    pub fn heap_matches(&self, sub: HeapType, sup: HeapType) -> bool {
        use HeapType as H;
        if sub == sup {
            return true;
        }
        if self.is_shared(sub) != self.is_shared(sup) {
            return false;
        }
        match (sub.unshared(), sup.unshared()) {
            (H::Concrete(a) | H::Exact(a), H::Concrete(b)) => {
                matches!((a, b), (TypeRef::Engine(a), TypeRef::Engine(b)) if self.is_subtype(a, b))
            }
            (H::Concrete(_) | H::Exact(_), H::Exact(_)) => false,
            (H::Concrete(TypeRef::Engine(a)) | H::Exact(TypeRef::Engine(a)), sup) => {
                match self.get(a).composite {
                    CompositeType::Func(_) => sup == H::Func,
                    CompositeType::Cont(_) => sup == H::Cont,
                    CompositeType::Struct(_) => matches!(sup, H::Struct | H::Eq | H::Any),
                    CompositeType::Array(_) => matches!(sup, H::Array | H::Eq | H::Any),
                }
            }
            (sub, H::Concrete(TypeRef::Engine(b)) | H::Exact(TypeRef::Engine(b))) => {
                match self.get(b).composite {
                    CompositeType::Func(_) => sub == H::NoFunc,
                    CompositeType::Cont(_) => sub == H::NoCont,
                    CompositeType::Struct(_) | CompositeType::Array(_) => sub == H::None,
                }
            }
            (H::Eq, H::Any) => true,
            (H::I31 | H::Struct | H::Array, H::Eq | H::Any) => true,
            (H::None, H::I31 | H::Struct | H::Array | H::Eq | H::Any) => true,
            (H::NoFunc, H::Func) | (H::NoExtern, H::Extern) => true,
            (H::NoExn, H::Exn) | (H::NoCont, H::Cont) => true,
            _ => false,
        }
    }

    fn is_shared(&self, heap: HeapType) -> bool {
        match heap.defined() {
            Some(r) => self.find(r).is_some_and(|ty| ty.is_shared),
            None => matches!(heap, HeapType::Shared(_)),
        }
    }

    /// Reference subtyping over canonical types.
    pub fn ref_matches(&self, sub: RefType, sup: RefType) -> bool {
        (sup.nullable || !sub.nullable) && self.heap_matches(sub.heap, sup.heap)
    }

    /// Whether a type of composition `sub` may be declared below one of composition `sup`
    /// (spec: valid/matching, composite types).
    pub fn composite_matches(&self, sub: &CompositeType, sup: &CompositeType) -> bool {
        use CompositeType as C;
        match (sub, sup) {
            (C::Func(a), C::Func(b)) => {
                let all = |a: &[ValType], b: &[ValType]| {
                    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| self.val_matches(*a, *b))
                };
                all(&b.params, &a.params) && all(&a.results, &b.results)
            }
            (C::Struct(a), C::Struct(b)) => {
                a.len() >= b.len() && a.iter().zip(b).all(|(a, b)| self.field_matches(*a, *b))
            }
            (C::Array(a), C::Array(b)) => self.field_matches(*a, *b),
            (C::Cont(TypeRef::Engine(a)), C::Cont(TypeRef::Engine(b))) => self.is_subtype(*a, *b),
            _ => false,
        }
    }

    /// Field subtyping over canonical types: what can be written is of exactly one type.
    pub fn field_matches(&self, sub: FieldType, sup: FieldType) -> bool {
        if sub.mutable || sup.mutable {
            return sub == sup;
        }
        match (sub.storage, sup.storage) {
            (StorageType::Val(a), StorageType::Val(b)) => self.val_matches(a, b),
            (a, b) => a == b,
        }
    }

    /// Value subtyping over canonical types.
    pub fn val_matches(&self, sub: ValType, sup: ValType) -> bool {
        match (sub, sup) {
            (ValType::Ref(a), ValType::Ref(b)) => self.ref_matches(a, b),
            (a, b) => a == b,
        }
    }
}

/// Rewrites a module's type so that it names canonical types.
pub fn canonical<T: MapRefs>(ty: &T, ids: &[TypeId]) -> T {
    ty.map_refs(&mut |r| match r {
        TypeRef::Module(TypeIndex(i)) => TypeRef::Engine(ids[i as usize]),
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(wat_types: Vec<SubType>, rec_groups: Vec<std::ops::Range<u32>>) -> ModuleInfo {
        ModuleInfo { types: wat_types, rec_groups, ..ModuleInfo::default() }
    }

    /// One rec group of as many types.
    fn group(types: u32) -> Vec<std::ops::Range<u32>> {
        std::iter::once(0..types).collect()
    }

    fn func(params: &[ValType]) -> SubType {
        let ty = FuncType { params: params.into(), results: Box::new([]) };
        SubType::new(CompositeType::Func(ty))
    }

    #[test]
    fn equal_types_of_two_modules_share_an_id() {
        let mut registry = TypeRegistry::default();
        let a = module(vec![func(&[]), func(&[ValType::I32])], vec![0..1, 1..2]);
        let b = module(vec![func(&[ValType::I32])], group(1));
        let ids_a = registry.register_module(&a);
        let ids_b = registry.register_module(&b);
        assert_eq!(ids_a[1], ids_b[0]);
        assert_ne!(ids_a[0], ids_a[1]);
        assert_ne!(ids_a[0], TypeId(0));
    }

    #[test]
    fn a_member_of_a_larger_group_is_another_type() {
        let mut registry = TypeRegistry::default();
        let alone = module(vec![func(&[])], group(1));
        let pair = module(vec![func(&[]), func(&[])], group(2));
        let ids_alone = registry.register_module(&alone);
        let ids_pair = registry.register_module(&pair);
        assert_ne!(ids_alone[0], ids_pair[0]);
        assert_ne!(ids_pair[0], ids_pair[1]);
    }

    #[test]
    fn recursive_groups_meet_in_one_id() {
        let own = |at: u32| {
            let r = RefType {
                nullable: true,
                heap: HeapType::Concrete(TypeRef::Module(TypeIndex(at))),
            };
            func(&[ValType::Ref(r)])
        };
        let mut registry = TypeRegistry::default();
        let a = registry.register_module(&module(vec![own(0)], group(1)));
        let shifted = module(vec![func(&[]), own(1)], vec![0..1, 1..2]);
        let b = registry.register_module(&shifted);
        assert_eq!(a[0], b[1]);
    }

    #[test]
    fn descriptors_belong_to_the_identity_of_a_type() {
        let described = |descriptor: bool| {
            let ty = |at: u32| Some(TypeRef::Module(TypeIndex(at))).filter(|_| descriptor);
            let plain = SubType::new(CompositeType::Struct(Box::new([])));
            let first = SubType { descriptor: ty(1), ..plain.clone() };
            module(vec![first, SubType { describes: ty(0), ..plain }], group(2))
        };
        let mut registry = TypeRegistry::default();
        let with = registry.register_module(&described(true));
        let again = registry.register_module(&described(true));
        let without = registry.register_module(&described(false));
        assert_eq!(with, again);
        assert_ne!(with[0], without[0]);
        assert_eq!(registry.get(with[0]).descriptor, Some(TypeRef::Engine(with[1])));
        assert_eq!(*registry.shape(with[0]).refs, [4]);
        assert_eq!(*registry.shape(with[1]).refs, []);
    }

    #[test]
    fn exact_types_match_inexact_ones_and_never_the_other_way() {
        let above = SubType { is_final: false, ..func(&[]) };
        let supertype = Some(TypeRef::Module(TypeIndex(0)));
        let below = SubType { supertype, ..above.clone() };
        let mut registry = TypeRegistry::default();
        let ids = registry.register_module(&module(vec![above, below], vec![0..1, 1..2]));
        let [above, below] = [ids[0], ids[1]].map(TypeRef::Engine);
        use HeapType::{Concrete, Exact, Func, NoFunc};
        for (sub, sup) in [
            (Exact(above), Exact(above)),
            (Exact(above), Concrete(above)),
            (Exact(below), Concrete(above)),
            (Exact(below), Func),
            (NoFunc, Exact(below)),
        ] {
            assert!(registry.heap_matches(sub, sup), "{sub} {sup}");
            assert!(sub == sup || !registry.heap_matches(sup, sub), "{sup} {sub}");
        }
        assert!(!registry.heap_matches(Exact(below), Exact(above)));
        assert!(!registry.heap_matches(Concrete(below), Exact(below)));
    }

    #[test]
    fn shared_and_unshared_types_never_match() {
        let shared = SubType {
            is_shared: true,
            ..SubType::new(CompositeType::Array(FieldType {
                storage: StorageType::I8,
                mutable: true,
            }))
        };
        let unshared = SubType { is_shared: false, ..shared.clone() };
        let mut registry = TypeRegistry::default();
        let ids = registry.register_module(&module(vec![shared, unshared], vec![0..1, 1..2]));
        assert_ne!(ids[0], ids[1]);
        let [shared, unshared] = [ids[0], ids[1]].map(|id| HeapType::Concrete(TypeRef::Engine(id)));
        let in_shared = |ty| HeapType::Shared(ty);
        use AbstractHeapType as A;
        assert!(registry.heap_matches(shared, in_shared(A::Array)));
        assert!(registry.heap_matches(in_shared(A::None), shared));
        assert!(registry.heap_matches(in_shared(A::I31), in_shared(A::Eq)));
        assert!(!registry.heap_matches(shared, HeapType::Array));
        assert!(!registry.heap_matches(unshared, in_shared(A::Any)));
        assert!(!registry.heap_matches(HeapType::None, shared));
        assert!(!registry.heap_matches(in_shared(A::Any), HeapType::Any));
    }
}
