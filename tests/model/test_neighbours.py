"""Words that nothing is called: the name that they are a slip of the pen for is told, and of no other one."""

from __future__ import annotations

from symbackprop.errors import nearest
from symbackprop.model.text.calls import function_names

SLIPS = """
tnah=tanh tanhh=tanh tahn=tanh sigmiod=sigmoid sigmod=sigmoid sofmax=softmax softmx=softmax sotfmax=softmax
softmaxx=softmax rleu=relu reluu=relu epx=exp exxp=exp lgo=log logg=log sqtr=sqrt squre=square squar=square smu=sum
maen=mean meam=mean cros_entropy=cross_entropy crossentrpy=cross_entropy cross_entorpy=cross_entropy
cross_entropi=cross_entropy corss_entropy=cross_entropy binary_cross_entopy=binary_cross_entropy logsumepx=logsumexp
logsumexpp=logsumexp log_sofmax=log_softmax logsotfmax=log_softmax layer_nrom=layer_norm layernrom=layer_norm
batchnrom=batch_norm einsm=einsum einsumm=einsum trcae=trace reshpae=reshape reshap=reshape trnspose=transpose
transpsoe=transpose tranpose=transpose concta=concat stakc=stack minumum=minimum maximun=maximum maximim=maximum
gleu=gelu conv2dd=conv2d cov2d=conv2d max_pol2d=max_pool2d avgpool2dd=avg_pool2d cumsm=cumsum cumusm=cumsum
attenion=attention atention=attention attetnion=attention embeding_bag=embedding_bag matrix_pwoer=matrix_power
slove=solve cholesky_=cholesky choleski=cholesky cholesy=cholesky logdte=logdet digama=digamma lgama=lgamma erff=erf
expn1=expm1 log1pp=log1p leaky_rleu=leaky_relu leeky_relu=leaky_relu softpuls=softplus sofplus=softplus swihs=swish
mihs=mish huebr=huber arnge=arange wehre=where whre=where wher=where repeet=repeat outter=outer daig=diag
unfod=unfold interpolat=interpolate interploate=interpolate grid_smaple=grid_sample pixel_shufle=pixel_shuffle
cosine_similarty=cosine_similarity kl_divergance=kl_divergence squared_eror=squared_error
absolut_error=absolute_error normal_pfd=normal_pdf one_hott=one_hot onehto=one_hot take_allong_axis=take_along_axis
stop_gradeint=stop_gradient group_nomr=group_norm rms_nrom=rms_norm sovle=solve flipp=flip rol=roll medain=median
qauntile=quantile argmxa=argmax varr=var stdd=std sinn=sin tann=tan atanhh=atanh tanj=tanh sihn=sinh
conv3=conv3d
"""
FOREIGN = """
rearrange reduce log_loss tensordot polyfit convolve covariance cov corr corrcoef pinv2 eig cond rank null orth fft
ifft rfft histogram bincount unique interp gradient trapz polyval poly1d linspace logspace meshgrid vstack hstack
dstack vdot inner cross nansum nanmean isnan isclose allclose loss cost less_than size sine cosine tangent secant
sec csc cot log_prob sample rand randn normal uniform bernoulli poisson gamma beta dirichlet multinomial categorical
softmin sparsemax entmax hardswish swiglu geglu rnn lstm gru linear dense embedding embed dropout2d sequential
module layer hidden activation affine bias weight input output target label predict fit train eval forward backward
grad jacobian hessian vmap pmap scan jit while_loop fori_loop switch select choose place put insert delete append
pop extend map filter zip enumerate print len list dict tuple set str int float bool complex real imag conj angle
distance dist norm1 euclid manhattan hamming jaccard dice iou accuracy precision recall f1 auc bleu perplexity rouge
dct wavelet laplacian sobel canny resize crop rotate shear warp mod div idiv pow10 cbrt nthroot factorial binom comb
perm fact heaviside step ramp rect tri sinc sgn2 besselj legendre hermite zeta airy ellipk hyp2f1 mish2 logcumsum
cummin triangular bandpart matvec vecmat matinv matsqrt sqrtm logm lognormal student weibull pareto cauchy gumbel
logmap expmap ones_matrix fill const constant variable placeholder tensor array matrix vector ndarray asarray stft
spline newton adam sgd momentum
"""


def test_a_slip_of_the_pen_is_told() -> None:
    slips = [slip.split("=") for slip in SLIPS.split()]
    assert len(slips) > 100
    assert [(word, nearest(word, function_names())) for word, _ in slips] == [(word, meant) for word, meant in slips]


def test_what_is_another_word_is_not_taken_for_one() -> None:
    known, words = function_names(), FOREIGN.split()
    assert len(words) > 150
    assert [(word, near) for word in words if word not in known and (near := nearest(word, known))] == []


def test_of_several_names_that_are_as_near_one_is_told_if_but_digits_tell_them_apart() -> None:
    assert nearest("w9", ["w1", "w2", "x"]) == "w2" and nearest("sun", ["sum", "sin"]) == ""
    assert nearest("ww", ["W", "w"]) == "w" and nearest("a9", ["w9"]) == ""
    assert nearest("two-wieght-tanh", ["two-weight-tanh", "two-layer-net"]) == "two-weight-tanh"
