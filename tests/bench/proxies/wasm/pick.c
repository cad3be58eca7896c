// Hand-written proxy-wasm 0.2.1 guest: FNV-1a over cookie `session`, sets
// x-envoy-original-dst-host to 127.0.0.1:(9101 + h % 8).
// clang --target=wasm32 -O3 -nostdlib; a bump allocator reset per request
// (cheaper than what the Rust/Go SDKs do, so this flatters proxy-wasm).
typedef unsigned int u32; typedef unsigned char u8; typedef unsigned long sz;
#define IMP(n) __attribute__((import_module("env"), import_name(#n))) int n
#define EXP(n) __attribute__((export_name(#n)))
IMP(proxy_get_header_map_value)(u32, const char*, u32, char**, u32*);
IMP(proxy_replace_header_map_value)(u32, const char*, u32, const char*, u32);
static u8 heap[1 << 16]; static u32 top;
EXP(proxy_on_memory_allocate) void* proxy_on_memory_allocate(u32 n){ u32 p=(top+7)&~7u; if(p+n>sizeof heap) return 0; top=p+n; return heap+p; }
EXP(proxy_abi_version_0_2_1) void proxy_abi_version_0_2_1(void){}
EXP(_initialize) void init(void){}
EXP(proxy_on_vm_start) u32 vm_start(u32 a,u32 b){return 1;}
EXP(proxy_on_configure) u32 configure(u32 a,u32 b){return 1;}
EXP(proxy_on_context_create) void cc(u32 a,u32 b){}
EXP(proxy_on_done) u32 done(u32 a){return 1;}
EXP(proxy_on_delete) void del(u32 a){}
static const char K[]="cookie", N[]="session=", D[]="x-envoy-original-dst-host";
EXP(proxy_on_request_headers) u32 req(u32 ctx,u32 n,u32 eos){
  top=0; char*v=0; u32 l=0, h=0x811c9dc5u;
  if(proxy_get_header_map_value(0,K,6,&v,&l)==0 && v){
    u32 i=0;
    while(i<l){
      while(i<l && v[i]==' ') i++;
      u32 j=i; while(j<l && v[j]!=';') j++;
      if(j-i>=8){ u32 k=0; while(k<8 && v[i+k]==N[k]) k++;
        if(k==8){ for(u32 q=i+8;q<j;q++){ h^=(u8)v[q]; h*=0x01000193u; } break; } }
      i=j+1;
    }
  }
  char a[14]="127.0.0.1:9101"; a[13]='1'+(h&7);
  proxy_replace_header_map_value(0,D,sizeof D-1,a,14);
  return 0;
}
